/* Runs before anything else in the page. The server has chosen the language: Gradio is told, and
   the words of our own components are looked up here. Never a closing script tag in this file. */
window.sz = {lang: "LANGUAGE", words: "WORDS"};
sz.t = (text) => sz.words[text] || text;
/* Gradio reads these two, and knows exactly the tags en, zh-TW and zh-CN. */
Object.defineProperty(navigator, 'language', {get: () => sz.lang, configurable: true});
Object.defineProperty(navigator, 'languages', {get: () => [sz.lang], configurable: true});
/* The address of this page in another language, with all else as it is. */
sz.inLanguage = (tag) => {
  const query = new URLSearchParams(location.search);
  query.set('lang', tag);
  return '?' + query;
};
