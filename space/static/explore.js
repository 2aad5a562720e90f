/* The viewer of the Explore tab. Runs as the script of its HTML component, after a line that gives
   `given`. The server sets `samples`, `way`, `animations` and `current`; the component's value is
   what the visitor picked and looks at. */
const root = element.querySelector('.sz-explore');
root.innerHTML = `
  <figure class="sz-stage" hidden>
    <div class="sz-stage-picture"><img alt=""></div>
    <figcaption></figcaption>
  </figure>
  <section class="sz-way" hidden aria-labelledby="${given.id}-way-title">
    <h3 id="${given.id}-way-title">${sz.t('The way')}</h3>
    <div class="sz-way-bar">
      <button type="button" data-do="play" aria-pressed="false">${sz.t('Play')}</button>
      <input type="range" min="0" step="1" value="0" aria-label="${sz.t('Place on the way')}">
    </div>
    <div class="sz-frames" aria-hidden="true"></div>
  </section>
  <div class="sz-code" hidden>
    <label for="${given.id}-shown-code">${sz.t('Code of this picture')}</label>
    <textarea id="${given.id}-shown-code" readonly rows="2" spellcheck="false"></textarea>
    <div class="sz-buttons">
      <button type="button" data-do="pick" aria-pressed="false"></button>
      <button type="button" data-do="copy">${sz.t('Copy code')}</button>
      <a class="sz-save" download>${sz.t('Download PNG')}</a>
      <span class="sz-animations"></span>
    </div>
  </div>
  <section class="sz-samples" hidden aria-labelledby="${given.id}-samples-title">
    <h3 id="${given.id}-samples-title">${sz.t('Drawn so far')}</h3><ul></ul>
  </section>
  <section class="sz-picked" hidden aria-labelledby="${given.id}-picked-title">
    <h3 id="${given.id}-picked-title">${sz.t('Picked')}</h3>
    <p>${sz.t('A walk goes through them in this order; a mixture takes as much of each as its weight says.')}</p>
    <ol></ol>
  </section>`;

const find = (selector) => root.querySelector(selector);
const stage = find('.sz-stage');
const slider = find('.sz-way input');
let picked = [];
let current = null;
let timer = null;

const samples = () => props.samples ?? [];
const way = () => props.way ?? [];
const place = (item) => picked.findIndex((one) => one.code === item.code);

/* Elements without a detour through markup: labels are what people typed. */
const make = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  made.append(...children);
  return made;
};
const pictureOf = (item, alt) => make('img', {
  src: item.thumbnail, alt, width: item.width, height: item.height,
  class: item.width <= 128 ? 'sz-tiny' : '',
});

/* What the server has to know. */
const hand = () => {
  props.value = {
    current: current?.key ?? '',
    picked: picked.map(({label, code, seed, weight}) => ({label, code, seed, weight})),
  };
};

const pick = (item, on) => {
  const at = place(item);
  if (on && at < 0 && picked.length < given.most) picked.push({...item, weight: 50});
  if (!on && at >= 0) picked.splice(at, 1);
  hand();
  drawPicked();
  mark();
};

/* Everything that says which picture is shown and which are picked. */
const mark = () => {
  const full = picked.length >= given.most;
  root.querySelectorAll('.sz-samples li').forEach((row, number) => {
    const item = samples()[number];
    if (!item) return;
    const at = place(item);
    const box = row.querySelector('input');
    box.checked = at >= 0;
    box.disabled = full && at < 0;
    row.querySelector('i').textContent = at < 0 ? '' : String(at + 1);
    row.classList.toggle('sz-on', at >= 0);
    row.querySelector('button').setAttribute('aria-pressed', String(item.key === current?.key));
  });
  find('.sz-frames').querySelectorAll('img').forEach((image, number) => {
    image.classList.toggle('sz-here', way()[number]?.key === current?.key);
  });
  const button = find('[data-do=pick]');
  const on = Boolean(current) && place(current) >= 0;
  button.textContent = on ? sz.t('Picked') : sz.t('Pick this one');
  button.setAttribute('aria-pressed', String(on));
  button.disabled = full && !on;
};

const show = (item) => {
  current = item;
  stage.hidden = find('.sz-code').hidden = !item;
  if (item) {
    const image = stage.querySelector('img');
    if (image.getAttribute('src') !== item.src) image.src = item.src;
    image.alt = item.label;
    image.width = item.width;
    image.height = item.height;
    image.classList.toggle('sz-tiny', item.width <= 128);
    stage.querySelector('figcaption').textContent = item.label;
    find('textarea').value = item.code;
    const link = find('.sz-save');
    link.href = item.src;
    link.download = item.name;
    const at = way().findIndex((one) => one.key === item.key);
    if (at >= 0) {
      slider.value = at;
      slider.setAttribute('aria-valuetext', item.label);
    }
  }
  hand();
  mark();
};

const drawSamples = () => {
  find('.sz-samples').hidden = !samples().length;
  const rows = samples().map((item) => {
    const box = make('input', {type: 'checkbox'});
    box.addEventListener('change', () => pick(item, box.checked));
    const button = make('button', {type: 'button', 'aria-pressed': 'false'}, pictureOf(item, item.label));
    button.addEventListener('click', () => { stopPlaying(); show(item); });
    const words = make('span', {}, item.label);
    return make('li', {}, button, make('i', {'aria-hidden': 'true'}),
      make('label', {}, box, make('span', {class: 'sz-unseen'}, `${sz.t('Pick')} `), words));
  });
  const list = find('.sz-samples ul');
  list.classList.toggle('sz-small', samples()[0]?.width <= 128);
  list.replaceChildren(...rows);
};

const drawWay = () => {
  const many = way().length > 1;
  find('.sz-way').hidden = !many;
  slider.max = Math.max(1, way().length - 1);
  find('.sz-frames').replaceChildren(...way().map((item) => {
    const image = pictureOf(item, '');
    image.addEventListener('click', () => { stopPlaying(); show(item); });
    return image;
  }));
  find('.sz-animations').replaceChildren(...(props.animations ?? []).map(({src, name}) => make(
    'a', {href: src, download: name},
    name.endsWith('.gif') ? sz.t('Animation as GIF') : sz.t('Animation as WebP'))));
};

const drawPicked = () => {
  find('.sz-picked').hidden = !picked.length;
  find('.sz-picked ol').replaceChildren(...picked.map((item) => {
    const weight = make('input', {
      type: 'range', min: 0, max: 100, step: 5, value: item.weight,
      'aria-label': `${sz.t('Weight')}: ${item.label}`,
    });
    weight.addEventListener('input', () => { item.weight = Number(weight.value); hand(); });
    const away = make('button', {
      type: 'button', 'aria-label': `${sz.t('Remove')}: ${item.label}`,
    }, '×');
    away.addEventListener('click', () => {
      pick(item, false);
      (find('.sz-picked li button') ?? find('.sz-samples button'))?.focus({preventScroll: true});
    });
    return make('li', {}, pictureOf(item, ''), make('span', {}, item.label), weight, away);
  }));
};

/* ---- there and back along the way */

const stopPlaying = () => {
  clearInterval(timer);
  timer = null;
  find('[data-do=play]').setAttribute('aria-pressed', 'false');
  find('[data-do=play]').textContent = sz.t('Play');
};
const play = () => {
  if (timer) { stopPlaying(); return; }
  let at = Number(slider.value);
  let step = at >= way().length - 1 ? -1 : 1;
  find('[data-do=play]').setAttribute('aria-pressed', 'true');
  find('[data-do=play]').textContent = sz.t('Pause');
  timer = setInterval(() => {
    if (!way().length || !root.isConnected) { stopPlaying(); return; }
    if (at + step < 0 || at + step >= way().length) step = -step;
    at = Math.max(0, Math.min(way().length - 1, at + step));
    show(way()[at]);
  }, 140);
};

const acts = {
  play,
  pick: () => current && pick(current, place(current) < 0),
  copy: async (button) => {
    const done = await sz.copy(current.code);
    const words = done ? sz.t('Code copied') : sz.t('Select the code and copy it');
    sz.announce(words);
    button.textContent = words;
    if (!done) find('textarea').select();
    setTimeout(() => { button.textContent = sz.t('Copy code'); }, 2500);
  },
};
root.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-do]');
  if (button) acts[button.dataset.do](button);
});
slider.addEventListener('input', () => {
  stopPlaying();
  const item = way()[Number(slider.value)];
  if (item) show(item);
});

/* ---- from the server */

let due = false;
const renew = () => {
  if (due) return;
  due = true;
  // Once for all that came together.
  queueMicrotask(() => {
    due = false;
    drawSamples();
    drawWay();
    const wanted = [...samples(), ...way()].find((one) => one.key === props.current);
    const still = [...samples(), ...way()].find((one) => one.key === current?.key);
    const news = wanted && wanted.key !== renew.last;
    renew.last = wanted?.key;
    if (!samples().length && !way().length) picked = [];
    drawPicked();
    stopPlaying();
    show(news ? wanted : still ?? wanted ?? null);
    // A new picture would come unseen: on a phone below the settings, else above the buttons.
    const {top, bottom} = stage.getBoundingClientRect();
    const unseen = bottom < 160 || top > window.innerHeight - 160;
    if (news && (unseen || window.innerWidth <= 640)) stage.scrollIntoView({block: 'start'});
  });
};
for (const name of ['samples', 'way', 'animations', 'current']) watch(name, renew);
renew();
