/* The board for regions. Runs as the script of its HTML component, after a line that gives
   `given`: the sides (label maps) and the colours. What is painted lies on one canvas for each
   side, over its picture; the component's value gets it when the board is closed. */
const titles = {content: sz.t('Photo'), style: sz.t('Style picture')};
const absent = {content: sz.t('Add a photo first.'), style: sz.t('Add a style picture.')};
const KEPT = 20; // steps that can be undone
const LEAST = 512; // pixels of the longer side of what is painted

const side = ({name, over}) => `
  <section class="sz-side" data-side="${name}" aria-labelledby="${given.id}-${name}">
    <header><h4 id="${given.id}-${name}">${titles[over]}</h4>
      <button type="button" data-do="undo" disabled>${sz.t('Undo')}</button>
      <button type="button" data-do="clear" disabled>${sz.t('Clear')}</button></header>
    <p class="sz-absent">${absent[over]}</p>
    <div class="sz-sheet" hidden><img alt="${titles[over]}">
      <canvas tabindex="0" role="application" aria-label="${titles[over]}"
        aria-describedby="${given.id}-keys"></canvas><i></i></div>
  </section>`;
const swatch = ({name, code}, number) => `
  <label><input type="radio" name="${given.id}-color" value="${code}" ${number ? '' : 'checked'}>
    <i style="background:${code || 'none'}"></i><span>${sz.t(name)}</span></label>`;

element.querySelector('.sz-board').innerHTML = `
  <p>${sz.t('Paint what belongs together in the same colour on both pictures: sky takes after sky, wall after wall. What stays unpainted is a region too.')}</p>
  <div class="sz-made"></div>
  <div class="sz-board-buttons">
    <button type="button" data-do="open" aria-haspopup="dialog">${sz.t('Paint regions')}</button>
    <button type="button" data-do="remove" hidden>${sz.t('Remove all')}</button></div>
  <p>${sz.t('Or upload label maps, in which each colour is a region. They come before what is painted.')}</p>
  <dialog aria-labelledby="${given.id}-title">
    <div class="sz-top"><header><h3 id="${given.id}-title">${sz.t('Paint regions')}</h3>
      <button type="button" data-do="done" class="sz-done-button">${sz.t('Done')}</button></header>
    <div class="sz-tools"><fieldset><legend>${sz.t('Colour')}</legend><div>
      ${given.colors.map(swatch).join('')}${swatch({name: sz.t('Eraser'), code: ''}, 1)}</div></fieldset>
      <label class="sz-brush">${sz.t('Brush size')}
        <input type="range" min="1" max="30" value="9"></label></div></div>
    <div class="sz-rest"><div class="sz-sides">${given.sides.map(side).join('')}</div>
    <p class="sz-keys" id="${given.id}-keys">${sz.t('Without a mouse: the arrow keys move the brush, Space paints a spot, Shift with the arrow keys paints a line.')}</p></div>
  </dialog>`;

const find = (selector) => element.querySelector(selector);
const dialog = find('dialog');
const button = (name) => find(`[data-do=${name}]`);
const color = () => find(`[name="${given.id}-color"]:checked`).value;

/* One picture with what is painted on it. */
class Sheet {
  constructor({name, over}) {
    this.name = name;
    this.title = titles[over];
    this.section = find(`[data-side=${name}]`);
    this.canvas = this.section.querySelector('canvas');
    this.image = this.section.querySelector('img');
    this.tip = this.section.querySelector('.sz-sheet i');
    this.ink = this.canvas.getContext('2d', {willReadFrequently: true});
    this.before = [];
    this.at = null;
    this.address = '';
    this.listen();
  }

  get size() { return find('.sz-brush input').value / 100 * Math.max(this.canvas.width, this.canvas.height); }

  get painted() {
    const {width, height} = this.canvas;
    return Boolean(this.address) &&
      new Uint32Array(this.ink.getImageData(0, 0, width, height).data.buffer).some(Boolean);
  }

  /* Lay a picture under the paint. Another one than before takes the paint away. */
  async show(address) {
    if (address === this.address) return;
    this.address = address;
    if (address) {
      this.image.src = address;
      await this.image.decode();
      const {naturalWidth: width, naturalHeight: height} = this.image;
      const scale = Math.max(1, LEAST / Math.max(width, height));
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
      this.section.querySelector('.sz-sheet').style.setProperty('--ratio', width / height);
    }
    this.clear();
    this.before = [];
    this.ready();
    /* Only now can it be painted on. */
    this.section.querySelector('.sz-absent').hidden = Boolean(address);
    this.section.querySelector('.sz-sheet').hidden = !address;
  }

  clear() { this.ink.clearRect(0, 0, this.canvas.width, this.canvas.height); }

  ready() {
    this.section.querySelector('[data-do=undo]').disabled = !this.before.length;
    this.section.querySelector('[data-do=clear]').disabled = !this.painted;
  }

  remember() {
    this.before.push(this.ink.getImageData(0, 0, this.canvas.width, this.canvas.height));
    if (this.before.length > KEPT) this.before.shift();
  }

  undo() {
    const last = this.before.pop();
    if (last) this.ink.putImageData(last, 0, 0);
    this.ready();
  }

  line(from, to) {
    this.ink.globalCompositeOperation = color() ? 'source-over' : 'destination-out';
    this.ink.strokeStyle = color() || '#000';
    this.ink.lineWidth = this.size;
    this.ink.lineCap = this.ink.lineJoin = 'round';
    this.ink.beginPath();
    this.ink.moveTo(from.x, from.y);
    this.ink.lineTo(to.x, to.y);
    this.ink.stroke();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: (event.clientX - box.left) / box.width * this.canvas.width,
      y: (event.clientY - box.top) / box.height * this.canvas.height,
    };
  }

  point(at) {
    this.at = at;
    const {width, height} = this.canvas;
    this.tip.style.cssText = `display:block; left:${100 * at.x / width}%; top:${100 * at.y / height}%;` +
      `width:${100 * this.size / width}%; aspect-ratio:1; background:${color() || 'none'}`;
  }

  listen() {
    const {canvas} = this;
    let from = null;
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      this.remember();
      from = this.place(event);
      this.line(from, from);
    });
    canvas.addEventListener('pointermove', (event) => {
      for (const one of event.getCoalescedEvents?.() ?? []) {
        const to = this.place(one);
        if (from) { this.line(from, to); from = to; }
      }
      const to = this.place(event);
      if (from) { this.line(from, to); from = to; }
      this.point(to);
    });
    const lift = () => { if (from) { from = null; this.ready(); } };
    canvas.addEventListener('pointerup', lift);
    canvas.addEventListener('pointercancel', lift);
    const hide = () => { this.tip.style.display = 'none'; };
    canvas.addEventListener('pointerleave', hide);
    canvas.addEventListener('blur', hide);
    canvas.addEventListener('focus', () => {
      if (canvas.matches(':focus-visible')) this.point(this.at ?? {x: canvas.width / 2, y: canvas.height / 2});
    });
    canvas.addEventListener('keydown', (event) => this.press(event));
  }

  press(event) {
    const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    const {width, height} = this.canvas;
    const here = this.at ?? {x: width / 2, y: height / 2};
    let there = here;
    if (way) {
      const step = Math.max(4, this.size / 2);
      there = {
        x: Math.min(width, Math.max(0, here.x + way[0] * step)),
        y: Math.min(height, Math.max(0, here.y + way[1] * step)),
      };
    } else if (event.key !== ' ') {
      return;
    }
    event.preventDefault();
    if (!way || event.shiftKey) {
      this.remember();
      this.line(here, there);
      this.ready();
    }
    this.point(there);
  }

  /* A small copy for the form. */
  copy() {
    const made = document.createElement('canvas');
    const scale = 160 / Math.max(this.canvas.width, this.canvas.height);
    made.width = Math.round(this.canvas.width * scale);
    made.height = Math.round(this.canvas.height * scale);
    const ink = made.getContext('2d');
    ink.drawImage(this.image, 0, 0, made.width, made.height);
    ink.globalAlpha = 0.65;
    ink.drawImage(this.canvas, 0, 0, made.width, made.height);
    made.setAttribute('role', 'img');
    made.setAttribute('aria-label', this.title);
    return made;
  }
}

const sheets = given.sides.map((one) => new Sheet(one));

const tell = () => {
  const painted = sheets.filter((sheet) => sheet.painted);
  find('.sz-made').replaceChildren(...painted.map((sheet) => sheet.copy()));
  button('remove').hidden = !painted.length;
};
const hand = () => {
  props.value = Object.fromEntries(
    sheets.map((sheet) => [sheet.name, sheet.painted ? sheet.canvas.toDataURL('image/png') : '']));
  tell();
};

const acts = {
  open: () => {
    trigger('edit');
    document.documentElement.style.overflow = 'hidden'; // the page behind stays where it is
    dialog.showModal();
  },
  done: () => dialog.close(),
  remove: () => {
    sheets.forEach((sheet) => { sheet.clear(); sheet.before = []; sheet.ready(); });
    hand();
    button('open').focus();
  },
  undo: (sheet) => sheet.undo(),
  clear: (sheet) => { sheet.remember(); sheet.clear(); sheet.ready(); },
};
element.addEventListener('click', (event) => {
  const pressed = event.target.closest('button[data-do]');
  if (!pressed) return;
  const name = pressed.closest('[data-side]')?.dataset.side;
  acts[pressed.dataset.do](sheets.find((sheet) => sheet.name === name));
});
/* The page's own keys rest: Escape closes the board and stops no run. */
dialog.addEventListener('keydown', (event) => {
  event.stopPropagation();
  const name = event.target.closest('[data-side]')?.dataset.side;
  if ((event.ctrlKey || event.metaKey) && event.key === 'z' && name) {
    event.preventDefault();
    sheets.find((sheet) => sheet.name === name).undo();
  }
});
dialog.addEventListener('close', () => {
  document.documentElement.style.overflow = '';
  hand();
});
watch('pictures', async () => {
  await Promise.all(sheets.map((sheet) => sheet.show(props.pictures?.[sheet.name] ?? '')));
  tell();
});
/* A new photo or style picture: what was painted on the one before goes. */
watch('value', () => {
  sheets.forEach((sheet) => {
    if (props.value?.[sheet.name] || !sheet.painted || dialog.open) return;
    sheet.clear();
    sheet.before = [];
    sheet.ready();
  });
  tell();
});
