/* Behaviour of the page, and repairs to what Gradio 6.31 draws. Never a closing script tag here. */
(() => {
  'use strict';
  const visible = (selector) =>
    [...document.querySelectorAll(selector)].find((one) => one.offsetParent && !one.disabled);

  /* ---- ours ---- */

  /* A polite live region for what changes without a component of its own. */
  const announce = (words) => {
    let region = document.getElementById('sz-live');
    if (!region) {
      region = document.createElement('div');
      region.id = 'sz-live';
      region.className = 'sz-unseen';
      region.setAttribute('role', 'status');
      document.body.append(region);
    }
    region.textContent = words;
  };

  const copy = async (text) => {
    if (navigator.clipboard && window.isSecureContext) {
      try { await navigator.clipboard.writeText(text); return true; } catch (error) { /* below */ }
    }
    const box = document.createElement('textarea');
    box.value = text;
    box.style.position = 'fixed';
    box.style.opacity = '0';
    document.body.append(box);
    box.select();
    let done = false;
    try { done = document.execCommand('copy'); } catch (error) { done = false; }
    box.remove();
    return done;
  };

  Object.assign(sz, {announce, copy});

  /* Settings that differ from the usual ones go into the address; nothing else of a visitor's. */
  sz.copyLink = async ([tab, names, usual], values) => {
    const query = new URLSearchParams({tab});
    names.forEach((name, place) => {
      const value = values[place];
      if (value === null || value === undefined || value === '') return;
      if (String(value) === String(usual[place] ?? '')) return;
      query.set(name, Array.isArray(value) ? value.join(',') : String(value));
    });
    history.replaceState(null, '', '?' + query);
    const done = await copy(location.href);
    const words = done ? sz.t('Link copied') : sz.t('The link is in the address bar');
    announce(words);
    const button = document.querySelector(`#${tab}-link`);
    if (button) {
      const before = button.textContent;
      button.textContent = words;
      setTimeout(() => { if (button.textContent === words) button.textContent = before; }, 2500);
    }
    return [];
  };

  /* The settings of the link are in their places. */
  sz.arrived = () => { document.body.classList.add('sz-arrived'); return []; };
  /* Not on the body: Gradio prefixes every rule of the style sheet with its own container. */
  sz.photoSeen = () => { document.getElementById('methods').dataset.photo = '1'; };

  /* What a click brought up may lie below the fold. */
  sz.show = (id) => {
    setTimeout(() => document.getElementById(id)?.scrollIntoView({block: 'nearest'}), 200);
    return [];
  };

  /* Gradio says nothing where the browser gives no camera; away from https there is none to ask. */
  const cameras = navigator.mediaDevices || {};
  const given = cameras.getUserMedia?.bind(cameras);
  const refused = () => {
    const words = sz.t('If the browser gives no camera, allow it in the address bar. Cameras need https or localhost.');
    for (const place of document.querySelectorAll('[title="grant webcam access"] .wrap')) {
      if (place.offsetParent) place.lastChild.nodeValue = words;
    }
    announce(words);
  };
  if (given) {
    cameras.getUserMedia = (...asked) => given(...asked).catch((error) => {
      refused();
      throw error;
    });
  } else {
    document.addEventListener('click', (event) => {
      if (!event.target.closest('[title="grant webcam access"]')) return;
      event.stopPropagation();  // Gradio would show the name of a text that it lacks
      refused();
    }, true);
  }

  /* On a phone the result lies below the fold. */
  document.addEventListener('click', (event) => {
    const button = event.target.closest('button[id$="-go"], button[id$="-every"]');
    const result = button && document.getElementById(button.id.replace(/-\w+$/, '-result'));
    if (!result || window.innerWidth > 640) return;
    // After the page has changed for the run: a change would cut a smooth movement short.
    setTimeout(() => result.scrollIntoView({block: 'start'}), 200);
  });

  /* An Escape that leaves a full screen or closes a list does no more. Gradio's full screen is a
     class of the block, and its own listeners have acted when the next one here is asked. */
  let taken = false;
  document.addEventListener('keydown', (event) => {
    taken = Boolean(document.fullscreenElement || document.querySelector('.block.fullscreen')
      || event.target.matches?.('[role=combobox][aria-expanded=true]'));
  }, true);

  /* Ctrl or Cmd with Enter runs the open tab, Escape stops it. */
  document.addEventListener('keydown', (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === 'Enter') {
      const button = visible('button.primary');
      if (button) { event.preventDefault(); button.click(); }
    }
    if (event.key === 'Escape' && !taken) {
      const button = visible('button.stop');
      if (button) button.click();
    }
  });

  /* ---- repairs ---- */

  const once = (element, work) => {
    if (element.dataset.sz) return;
    element.dataset.sz = '1';
    work(element);
  };

  /* Arrow keys move inside a group, Tab leaves it. */
  const rove = (event, items, keys) => {
    const here = items.indexOf(document.activeElement);
    const step = keys[event.key];
    if (here < 0 || step === undefined) return;
    event.preventDefault();
    const next = step === 'first' ? 0 : step === 'last' ? items.length - 1
      : (here + step + items.length) % items.length;
    items[next].focus();
    items[next].click();
  };

  const repairs = {
    '[role=tablist]': (list) => {
      const tabs = [...list.querySelectorAll('[role=tab]')];
      tabs.forEach((tab) => { tab.tabIndex = tab.getAttribute('aria-selected') === 'true' ? 0 : -1; });
      once(list, () => list.addEventListener('keydown', (event) => rove(
        event, [...list.querySelectorAll('[role=tab]')].filter((tab) => tab.offsetParent),
        {ArrowRight: 1, ArrowLeft: -1, Home: 'first', End: 'last'})));
    },
    /* Every radio of Gradio's has a name of its own, so the browser does not see a group. */
    'fieldset.block': (group) => {
      const radios = [...group.querySelectorAll('input[type=radio]')];
      if (radios.length < 2) return;
      const label = group.querySelector('[data-testid=block-info]');
      group.setAttribute('role', 'radiogroup');
      if (label) group.setAttribute('aria-label', label.textContent.trim());
      const current = radios.find((radio) => radio.checked) || radios[0];
      radios.forEach((radio) => { radio.tabIndex = radio === current ? 0 : -1; });
      once(group, () => group.addEventListener('keydown', (event) => rove(
        event, [...group.querySelectorAll('input[type=radio]:not(:disabled)')],
        {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1})));
    },
    /* What is read aloud has to contain what is seen. */
    'button[aria-dropeffect][aria-label]': (button) => {
      const seen = button.innerText.replace(/\s+/g, ' ').trim();
      if (seen && button.getAttribute('aria-label') !== seen) button.setAttribute('aria-label', seen);
    },
    'button.thumbnail-item, button.thumbnail-lg': (button) => {
      const words = `${sz.t('Result')} ${button.innerText.trim()}`.trim();
      if (button.getAttribute('aria-label') !== words) button.setAttribute('aria-label', words);
    },
    'div.empty[aria-label]:not([role])': (box) => box.setAttribute('role', 'img'),
    'div.wrapper[aria-label]:not([role])': (box) => box.setAttribute('role', 'group'),
    'a.download-link': (link) => {
      if (!link.getAttribute('aria-label')) link.setAttribute('aria-label', sz.t('Download'));
      link.querySelectorAll('button').forEach((button) => { button.tabIndex = -1; });
    },
    '.block img:not([alt]), .block img[alt=""]': (image) => {
      const label = image.closest('.block').querySelector('[data-testid=block-label]');
      if (label) image.alt = label.textContent.trim();
    },
    '[data-testid=imageslider-image]': (image) => {
      const names = sz.sides?.[image.closest('.block')?.id] || [sz.t('Before'), sz.t('After')];
      const words = names[image.matches('.fixed') ? 1 : 0];
      if (image.alt !== words) image.alt = words;
    },
    '.sz-status, [id$="-note"]': (box) => {
      if (!box.hasAttribute('aria-live')) box.setAttribute('aria-live', 'off');
    },
    /* Those of a camera come several times a second. */
    '.sz-done:not(#video-told *)': (line) => once(line, () => announce(line.textContent)),
    /* Of Gradio's words, the only ones that are in no catalogue. */
    '[title="grant webcam access"] .wrap': (place) => once(place, () => {
      place.lastChild.nodeValue = sz.t('Click to Access Webcam');
    }),
    /* The handle between before and after: a slider for the keyboard too. */
    '[data-testid=slider].outer': (handle) => once(handle, () => {
      const wrap = handle.parentElement;
      let place = 50;
      handle.setAttribute('role', 'slider');
      handle.tabIndex = 0;
      const label = handle.closest('.block')?.querySelector('[data-testid=block-label]');
      handle.setAttribute('aria-label', label ? label.textContent.trim() : sz.t('Before / after'));
      handle.setAttribute('aria-valuemin', '0');
      handle.setAttribute('aria-valuemax', '100');
      handle.setAttribute('aria-valuenow', place);
      const move = (to) => {
        place = Math.max(0, Math.min(100, to));
        handle.setAttribute('aria-valuenow', place);
        const picture = (wrap.querySelector('img') || wrap).getBoundingClientRect();
        const grip = handle.getBoundingClientRect();
        const y = grip.top + grip.height / 2;
        const at = (x) => ({bubbles: true, clientX: x, clientY: y, view: window});
        handle.dispatchEvent(new MouseEvent('mousedown', at(grip.left + grip.width / 2)));
        window.dispatchEvent(new MouseEvent('mousemove', at(picture.left + picture.width * place / 100)));
        window.dispatchEvent(new MouseEvent('mouseup', at(picture.left + picture.width * place / 100)));
      };
      handle.addEventListener('keydown', (event) => {
        const step = {ArrowRight: 5, ArrowUp: 5, ArrowLeft: -5, ArrowDown: -5,
                      PageUp: 20, PageDown: -20, Home: -100, End: 100}[event.key];
        if (step) { event.preventDefault(); move(place + step); }
      });
    }),
  };

  let due = false;
  const repair = () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      for (const [selector, mend] of Object.entries(repairs)) {
        document.querySelectorAll(selector).forEach(mend);
      }
    });
  };
  new MutationObserver(repair).observe(document.documentElement, {
    childList: true, subtree: true, attributes: true,
    attributeFilter: ['aria-selected', 'aria-checked', 'class'],
  });
  document.addEventListener('DOMContentLoaded', repair);
})();
