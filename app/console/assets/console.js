"use strict";
// Makes pages livelier. Every page does its work without it.

// The clock of whoever looks, so that the next page is written by it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const kept = document.cookie.split("; ").find((each) => each.startsWith("callgate_zone="));
if (zone && !kept) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `callgate_zone=${encodeURIComponent(zone)}; Path=/console; SameSite=Strict; Max-Age=31536000${secure}`;
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const search = document.getElementById("find");
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  }
  if (event.key === "Escape") {
    for (const open of document.querySelectorAll(".who details[open]")) open.open = false;
  }
});

// Numbers are shown as people write them, and copied as machines do.
document.addEventListener("copy", (event) => {
  const selection = document.getSelection();
  const node = selection && selection.anchorNode;
  const line = node && (node.nodeType === 1 ? node : node.parentElement).closest("data.line");
  if (line && line.contains(selection.focusNode) && event.clipboardData) {
    event.clipboardData.setData("text/plain", line.value);
    event.preventDefault();
  }
});

// A row opens in place; its link leads to the same as a page.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-opens]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const row = link.closest("tr");
  event.preventDefault();
  const next = row.nextElementSibling;
  if (next && next.classList.contains("opened")) {
    next.remove();
    link.setAttribute("aria-expanded", "false");
    return;
  }
  const address = new URL(link.href);
  address.searchParams.set("part", "inner");
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) { location.href = link.href; return; }
  const opened = document.createElement("tr");
  opened.className = "opened";
  const cell = opened.insertCell();
  cell.colSpan = row.cells.length;
  cell.append(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
  row.after(opened);
  link.setAttribute("aria-expanded", "true");
});

// What is under way is looked at again every second while the page is shown, and stops when it has ended.
for (const shown of document.querySelectorAll("[data-refreshes][data-running]")) {
  const timer = setInterval(async () => {
    if (document.hidden) return;
    const answer = await fetch(shown.dataset.refreshes, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) { clearInterval(timer); return; }
    const text = await answer.text();
    shown.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
    if (!text.includes("<b>Under way</b>")) clearInterval(timer);
  }, 1000);
}

// What a form would answer is shown as one types.
for (const form of document.querySelectorAll("form[data-as-typed]")) {
  let waiting = 0;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const address = new URL(form.action);
      address.searchParams.set("part", "inner");
      const answer = await fetch(address, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      const shown = document.getElementById(form.dataset.asTyped);
      if (answer.ok && !answer.redirected) {
        shown.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
      }
    }, 300);
  });
}

// What is sent at once when it is chosen has a button for those without this.
for (const field of document.querySelectorAll("[data-sends]")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}

// A slider says what it stands at while it is moved.
for (const slider of document.querySelectorAll("[data-shows]")) {
  slider.addEventListener("input", () => { slider.form.querySelector(`output[for="${slider.id}"]`).value = slider.value; });
}

// Figures that change by themselves. The server sends one event and lets go; the browser comes again by itself.
for (const live of document.querySelectorAll("[data-live-from]")) {
  const note = live.querySelector("[data-live-note]");
  let source = null;
  let last = Date.now();
  const start = () => {
    source = new EventSource(live.dataset.liveFrom);
    source.addEventListener("counts", (event) => {
      last = Date.now();
      note.textContent = "live";
      const told = JSON.parse(event.data);
      for (const figure of live.querySelectorAll("[data-live]")) {
        if (figure.tagName === "METER") { figure.value = told[figure.dataset.live] || 0; continue; }
        const text = (told[figure.dataset.live] || 0).toLocaleString("en-US");
        if (figure.textContent === text) continue;
        figure.textContent = text;
        figure.classList.remove("changed");
        requestAnimationFrame(() => figure.classList.add("changed"));
      }
    });
  };
  setInterval(() => { if (source && Date.now() - last > 20000) note.textContent = "paused: load the page again"; }, 2000);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && source) { source.close(); source = null; note.textContent = "paused while hidden"; }
    else if (!document.hidden && !source) { last = Date.now(); start(); }
  });
  start();
}

// What takes some seconds is asked for by itself once the page stands; its button does the same for those without this.
for (const box of document.querySelectorAll("[data-asks]")) {
  const form = document.getElementById(box.dataset.asks);
  const button = form.querySelector("[data-asked-for]");
  const ask = async () => {
    const address = new URL(form.action);
    const given = new FormData(form);
    given.set(button.name, button.value);
    const waiting = setTimeout(() => { box.textContent = "The decisions of last week are being looked at…"; }, 300);
    address.searchParams.set("part", "inner");
    let answer = null;
    try {
      if (form.method === "get") {
        for (const [name, value] of given) address.searchParams.set(name, value);
        answer = await fetch(address);
      } else {
        answer = await fetch(address, { method: "POST", body: new URLSearchParams(given) });
      }
    } catch { answer = null; }
    clearTimeout(waiting);
    if (answer === null || !answer.ok || answer.redirected) {
      box.textContent = "It could not be worked out just now. ";
      button.hidden = false;
      return;
    }
    box.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
  };
  button.hidden = true;
  ask();
}
