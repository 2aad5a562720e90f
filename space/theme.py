"""How the site looks: system fonts, no outside request, every pair of colours at least 4.5 to 1."""

from pathlib import Path

import gradio as gr

STATIC = Path(__file__).parent / "static"

# No bundled font of Gradio has Chinese glyphs, so the fonts are those of the visitor's system.
SANS = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "PingFang TC",
    "PingFang SC",
    "Microsoft JhengHei",
    "Microsoft YaHei",
    "Noto Sans CJK TC",
    "Noto Sans CJK SC",
    "sans-serif",
)
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Noto Sans Mono", "monospace")


def make_theme() -> gr.themes.Base:
    """Warm paper, ink, and one deep green for what can be pressed."""
    return gr.themes.Default(
        primary_hue=gr.themes.Color(
            "#eef7f4",
            "#d5ece5",
            "#abd9cc",
            "#79bfae",
            "#48a08d",
            "#2b8371",
            "#1d6a5b",
            "#17564b",
            "#14453d",
            "#0f3630",
            "#071f1b",
        ),
        neutral_hue=gr.themes.Color(
            "#faf8f5",
            "#f3efe9",
            "#e6e0d7",
            "#d3cabd",
            "#a89d8e",
            "#7d7366",
            "#5c544a",
            "#443e37",
            "#2b2723",
            "#1d1a17",
            "#12100e",
        ),
        secondary_hue="stone",
        radius_size=gr.themes.sizes.radius_md,
        font=[gr.themes.Font(name) for name in SANS],
        font_mono=[gr.themes.Font(name) for name in MONO],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_900",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_700",
        block_shadow="none",
        block_label_background_fill="white",
        block_label_background_fill_dark="*neutral_900",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        block_title_text_weight="600",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        border_color_primary="*neutral_300",
        border_color_primary_dark="*neutral_700",
        border_color_accent="*primary_700",
        color_accent="*primary_700",
        color_accent_soft="*primary_50",
        color_accent_soft_dark="*primary_900",
        input_background_fill="white",
        input_background_fill_dark="*neutral_800",
        input_border_color="*neutral_400",
        input_border_color_dark="*neutral_600",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_secondary_background_fill="*neutral_100",
        button_secondary_background_fill_hover="*neutral_200",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_600",
        button_secondary_text_color="*neutral_800",
        button_secondary_text_color_dark="*neutral_100",
        button_cancel_background_fill="#a8281c",
        button_cancel_background_fill_hover="#8c2016",
        button_cancel_background_fill_dark="#a8281c",
        button_cancel_background_fill_hover_dark="#8c2016",
        button_cancel_text_color="white",
        button_cancel_text_color_dark="white",
        slider_color="*primary_700",
        slider_color_dark="*primary_400",
        checkbox_background_color_selected="*primary_700",
        checkbox_background_color_selected_dark="*primary_500",
        checkbox_label_background_fill_selected="*primary_50",
        checkbox_label_background_fill_selected_dark="*primary_900",
        checkbox_label_text_color_selected="*neutral_900",
        checkbox_label_text_color_selected_dark="white",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        link_text_color_hover="*primary_800",
        link_text_color_hover_dark="*primary_200",
    )


def read(name: str) -> str:
    """A file of ``static/`` as text."""
    return (STATIC / name).read_text("utf-8")
