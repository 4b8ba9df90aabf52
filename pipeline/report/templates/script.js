'use strict';
// Everything on the page can be read without this; here it seeks, sorts and filters.
(() => {
  const players = [...document.querySelectorAll('video, audio')];

  function seek(at) {
    let chosen = null;
    for (const player of players) if (!chosen || Number(player.dataset.begin) <= at) chosen = player;
    if (!chosen) return false;
    for (const player of players) if (player !== chosen) player.pause();
    chosen.currentTime = Math.max(0, at - Number(chosen.dataset.begin));
    chosen.scrollIntoView({block: 'nearest'});
    return true;
  }

  document.addEventListener('click', event => {
    const link = event.target.closest('a[data-at]');
    if (link && seek(Number(link.dataset.at))) event.preventDefault();
  });

  // Between two places of the axis the result goes on evenly, or stands still.
  function between(points, from, to, value) {
    for (let n = 1; n < points.length; n++) {
      const [a, b] = [points[n - 1], points[n]];
      if (value <= b[from] || n === points.length - 1) {
        const wide = b[from] - a[from];
        return a[to] + (wide ? (value - a[from]) / wide : 0) * (b[to] - a[to]);
      }
    }
    return 0;
  }

  function label(seconds, begin) {
    if (begin) return new Date(Date.parse(begin) + seconds * 1000).toISOString().slice(11, 21);
    const tenths = Math.round(seconds * 10), two = n => String(n).padStart(2, '0');
    return `${Math.floor(tenths / 36000)}:${two(Math.floor(tenths / 600) % 60)}:${two(Math.floor(tenths / 10) % 60)}`;
  }

  for (const clock of document.querySelectorAll('.clock')) {
    const points = JSON.parse(clock.dataset.breaks), length = points[points.length - 1][0];
    const drawings = [...clock.querySelectorAll('.drawing')];
    if (players.length) clock.classList.add('seeks');
    const lines = kind => drawings.map(drawing => {
      const line = drawing.appendChild(document.createElement('div'));
      line.className = 'cursor ' + kind;
      line.hidden = true;
      return line;
    });
    const pointed = lines('pointed'), now = lines('now');
    const told = pointed[0] && pointed[0].appendChild(document.createElement('span'));
    const place = (all, share) => {
      for (const line of all) {
        line.hidden = share === null;
        line.style.left = `${100 * (share ?? 0)}%`;
      }
    };
    const share = (drawing, event) => {
      const box = drawing.getBoundingClientRect();
      return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    };
    for (const drawing of drawings) {
      drawing.addEventListener('pointermove', event => {
        const at = share(drawing, event);
        place(pointed, at);
        if (told) told.textContent = label(at * length, clock.dataset.begin);
      });
      drawing.addEventListener('pointerleave', () => place(pointed, null));
      drawing.addEventListener('click', event => seek(between(points, 0, 1, share(drawing, event) * length)));
    }
    for (const player of players) {
      player.addEventListener('timeupdate', () => {
        place(now, between(points, 1, 0, player.currentTime + Number(player.dataset.begin)) / length);
      });
    }
  }

  window.addEventListener('beforeprint', () => {
    for (const details of document.querySelectorAll('details:not(.section)')) details.open = true;
  });

  for (const table of document.querySelectorAll('table.many')) {
    const body = table.tBodies[0], rows = [...body.rows];
    const heads = [...table.querySelectorAll('th[data-sort]')];
    const order = ['rejected', 'degraded', 'pending', 'repaired', 'ok'];
    const key = (row, by) => by === 'verdict' ? order.indexOf(row.dataset.verdict)
      : by === 'lasts' || by === 'lost' ? Number(row.dataset[by]) : row.dataset[by];
    for (const head of heads) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener('click', () => {
        const by = head.dataset.sort, up = head.getAttribute('aria-sort') !== 'ascending';
        for (const other of heads) other.removeAttribute('aria-sort');
        head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
        rows.sort((a, b) => {
          const [x, y] = [key(a, by), key(b, by)];
          return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
        });
        body.append(...rows);
      });
    }
    const form = table.closest('section').querySelector('form.filter');
    if (!form) continue;
    form.hidden = false;
    const filter = () => {
      const text = form.elements.text.value.trim().toLowerCase(), verdict = form.elements.verdict.value;
      let shown = 0;
      for (const row of rows) {
        const fits = row.dataset.name.toLowerCase().includes(text) && (!verdict || row.dataset.verdict === verdict);
        row.hidden = !fits;
        shown += fits;
      }
      form.querySelector('output').textContent = shown < rows.length ? `${shown} of ${rows.length}` : '';
    };
    form.addEventListener('input', filter);
    form.addEventListener('submit', event => event.preventDefault());
    filter();
  }
})();
