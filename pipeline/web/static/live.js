// Keeps a page true while it is open: the server says that something happened, and what changed of
// the page is fetched again.  Without this script the page shows what was true when it was asked for.
"use strict";

(() => {
  const PAUSE = 2000; // milliseconds between two fetches
  const TICK = 5000;
  const live = document.getElementById("live");
  const said = live.querySelector(".said");
  let skew = 0; // of this clock against the server's, in milliseconds
  let last = 0;
  let waiting = null;

  const clock = () => Date.now() + skew;

  function ago(seconds) {
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "m"]]) {
      if (seconds >= size) return `${Math.floor(seconds / size)}${unit} ago`;
    }
    return `${Math.max(Math.floor(seconds), 0)}s ago`;
  }

  function tick() {
    for (const time of document.querySelectorAll("time[data-at]")) {
      const text = ago(clock() / 1000 - Number(time.dataset.at));
      if (time.textContent !== text) time.textContent = text;
    }
  }

  function state(on, text) {
    live.dataset.state = on ? "on" : "off";
    said.textContent = text;
  }

  function told() {
    state(true, `live, ${new Date(clock()).toISOString().slice(11, 19)} UTC`);
  }

  // What a region says, without times that pass by themselves.
  function plain(region) {
    const copy = region.cloneNode(true);
    for (const time of copy.querySelectorAll("time[data-at]")) time.textContent = "";
    for (const button of copy.querySelectorAll(".copy")) button.replaceWith();
    for (const row of copy.querySelectorAll("tr.fresh")) row.removeAttribute("class");
    for (const details of copy.querySelectorAll("details")) details.open = false;
    return copy.innerHTML;
  }

  function isBeingRead(region) {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && region.contains(selection.anchorNode);
  }

  function mark(fresh) {
    for (const link of fresh.querySelectorAll("tbody a[id]")) {
      const before = document.getElementById(link.id)?.closest("tr").querySelector(".badge");
      const row = link.closest("tr");
      if (before?.textContent !== row.querySelector(".badge").textContent) row.classList.add("fresh");
    }
  }

  function put(region, fresh) {
    const focus = region.contains(document.activeElement) ? document.activeElement : null;
    const open = [...region.querySelectorAll("details")].map((one) => one.open);
    const scrolled = [...region.querySelectorAll(".wide")].map((one) => one.scrollLeft);
    if (region.id === "rows") mark(fresh);
    region.replaceChildren(...fresh.childNodes);
    region.querySelectorAll("details").forEach((one, n) => { one.open = open[n] ?? false; });
    region.querySelectorAll(".wide").forEach((one, n) => { one.scrollLeft = scrolled[n] ?? 0; });
    if (focus?.id) document.getElementById(focus.id)?.focus({ preventScroll: true });
    else if (focus?.getAttribute("href")) {
      const same = [...region.querySelectorAll("a")].find((a) => a.href === focus.href);
      same?.focus({ preventScroll: true });
    }
  }

  async function refresh() {
    waiting = null;
    if (document.hidden) return soon();
    last = Date.now();
    let fresh;
    try {
      const answer = await fetch(location.href, { cache: "no-store", headers: { Accept: "text/html" } });
      if (!answer.ok) return state(false, `not live: the server answered ${answer.status}`);
      fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch {
      return state(false, "not live: the server does not answer");
    }
    skew = 1000 * Number(fresh.getElementById("live").dataset.now) - Date.now();
    for (const region of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(region.id);
      if (!other || plain(region) === plain(other)) continue;
      if (isBeingRead(region)) soon();
      else put(region, other);
    }
    offer();
    tick();
    told();
  }

  function soon() {
    waiting ??= setTimeout(refresh, Math.max(last + PAUSE - Date.now(), 0) || (document.hidden ? PAUSE : 0));
  }

  function offer() {
    if (!navigator.clipboard) return;
    for (const button of document.querySelectorAll(".copy[hidden]")) button.hidden = false;
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest(".copy");
    if (!button) return;
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      document.getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });

  skew = 1000 * Number(live.dataset.now) - Date.now();
  offer();
  setInterval(tick, TICK);
  const feed = new EventSource("/feed");
  feed.addEventListener("open", told);
  feed.addEventListener("change", soon);
  feed.addEventListener("error", () => state(false, "not live; trying again"));
})();
