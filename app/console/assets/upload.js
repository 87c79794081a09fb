"use strict";
// A list is looked at, tried and put in force without leaving the page. Without this each of them is a page of its own.

const form = document.getElementById("upload");
const field = document.getElementById("field-file");
const shown = document.getElementById("import");
const said = document.getElementById("upload-said");
const LOOK_BYTES = 65536;
let columns = document.getElementById("columns");
let looking = 0;
let sending = false;

const parsed = (text) => new DOMParser().parseFromString(text, "text/html");
const say = (text) => { said.textContent = text; };

if (columns) { // what was chosen on the page before; the file has to be chosen once more
  form.append(columns);
} else {
  columns = document.createElement("div");
  columns.id = "columns";
  form.append(columns);
}
form.querySelector(".choices").hidden = true;

// The fields in the order in which they have to come: the file is the last, so that nothing of it has to be kept.
function filled(file, more) {
  const sent = new FormData();
  for (const [name, value] of new FormData(form)) {
    if (name !== "file") sent.append(name, value);
  }
  for (const [name, value] of Object.entries(more)) sent.append(name, value);
  sent.append("file", file, file.name);
  return sent;
}

async function look(fresh) {
  const file = field.files[0];
  const mine = ++looking;
  if (fresh) columns.replaceChildren();
  if (!file) return;
  const cut = file.size > LOOK_BYTES;
  const head = new File([file.slice(0, LOOK_BYTES)], file.name, { type: file.type });
  const address = new URL(form.action);
  address.searchParams.set("part", "inner");
  let answer;
  try {
    answer = await fetch(address, { method: "POST", body: filled(head, cut ? { cut: "yes" } : {}) });
  } catch {
    say("The file could not be looked at: the connection was lost. Choose it once more.");
    return;
  }
  if (mine !== looking) return;
  if (!answer.ok || answer.redirected) { location.href = form.action.split("?")[0]; return; }
  const focused = document.activeElement && document.activeElement.id;
  columns.replaceChildren(...parsed(await answer.text()).body.childNodes);
  if (columns.querySelector("[name=ticket]")) columns.append(buttons());
  if (focused) { const again = document.getElementById(focused); if (again) again.focus(); }
  const fault = columns.querySelector("[data-fault]");
  say(fault ? fault.textContent : "The first rows are shown, with what each becomes.");
}

function buttons() {
  const row = document.createElement("p");
  for (const [words, tried] of [["Try it: what would change?", true], ["Upload", false]]) {
    const button = document.createElement("button");
    button.textContent = words;
    button.type = "button";
    if (!tried) button.className = "act";
    button.addEventListener("click", () => send(tried));
    row.append(button, " ");
  }
  return row;
}

async function send(tried) {
  const file = field.files[0];
  if (!file || sending) return;
  sending = true;
  for (const button of columns.querySelectorAll("button")) button.disabled = true;
  const id = columns.querySelector("[name=ticket]").value.split(".")[0];
  shown.replaceChildren();
  say("Sending.");
  const progress = new URL(`${form.dataset.progress}/${id}/progress`, location.href);
  progress.searchParams.set("size", file.size);
  let asking = false;
  const ask = async () => {
    if (document.hidden || asking) return "";
    asking = true;
    try {
      const answer = await fetch(progress, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) return "";
      const text = await answer.text();
      shown.replaceChildren(...parsed(text).body.childNodes);
      return text;
    } catch {
      return "";
    } finally {
      asking = false;
    }
  };
  const timer = setInterval(ask, 1000);
  const address = new URL(form.dataset.take, location.href);
  if (tried) address.searchParams.set("dry_run", "yes");
  const request = new XMLHttpRequest();
  request.open("POST", address);
  request.onloadend = async () => {
    clearInterval(timer);
    const led = request.responseURL ? new URL(request.responseURL) : null;
    if (request.status === 200 && led && led.pathname.endsWith(id)) {
      if (!tried) { location.href = led.href; return; }
      let text = request.responseText;
      while (!text || text.includes("<b>Under way</b>")) {
        await new Promise((resolve) => { setTimeout(resolve, 500); });
        text = await ask() || text;
      }
      await ask();
      say("This was a trial: nothing was changed. What would change is shown.");
    } else {
      told(request);
    }
    sending = false;
    await look(false); // the next one is an import of its own
    shown.focus();
  };
  request.send(filled(file, {}));
}

// What went wrong, in the words of the page that would have been shown.
function told(request) {
  const page = request.responseText ? parsed(request.responseText) : null;
  const box = document.createElement("div");
  box.className = "faults";
  const words = page && (page.querySelector(".faults") || page.querySelector("main"));
  box.textContent = words ? words.textContent.trim().replace(/\s+/g, " ")
    : "The connection was lost before the whole of the list had come in. Nothing was changed; send it once more.";
  shown.replaceChildren(box);
  say(box.textContent);
}

field.addEventListener("change", () => { shown.replaceChildren(); look(true); });
columns.addEventListener("change", (event) => { if (event.target.tagName === "SELECT") look(false); });
form.addEventListener("submit", (event) => { event.preventDefault(); if (field.files[0]) look(false); });
form.addEventListener("dragover", (event) => { event.preventDefault(); form.classList.add("over"); });
form.addEventListener("dragleave", () => form.classList.remove("over"));
form.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("over");
  if (event.dataTransfer.files.length !== 1) {
    say("Drop one file.");
    return;
  }
  field.files = event.dataTransfer.files;
  field.dispatchEvent(new Event("change"));
});
if (field.files[0]) look(true);
