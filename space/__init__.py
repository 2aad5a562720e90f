"""The Gradio space: forms and pictures, never tensors."""
