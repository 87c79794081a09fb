"use strict";
// Sends what a form of /docs holds to the service that the page came from, and shows what is answered.
for (const form of document.querySelectorAll("form[data-path]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const shown = form.querySelector("[data-answer]");
    const headers = {};
    const query = new URLSearchParams();
    let path = form.dataset.path;
    for (const field of form.querySelectorAll("input[data-in]")) {
      const value = field.value.trim();
      if (field.dataset.in === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(value));
      else if (value && field.dataset.in === "query") query.append(field.name, value);
      else if (value) headers[field.name] = value;
    }
    const key = document.getElementById("key").value.trim();
    if (key) headers.Authorization = `Bearer ${key}`;
    const body = form.querySelector("[data-body]");
    if (body) headers["Content-Type"] = body.dataset.body;
    shown.hidden = false;
    shown.textContent = "…";
    try {
      const address = query.size ? `${path}?${query}` : path;
      const answer = await fetch(address, { method: form.dataset.method, headers, body: body ? body.value : undefined });
      const text = await answer.text();
      let told = text;
      if ((answer.headers.get("Content-Type") || "").includes("json")) {
        try { told = JSON.stringify(JSON.parse(text), null, 2); } catch { /* shown as it came */ }
      }
      const kept = ["location", "retry-after", "idempotent-replayed", "ratelimit"];
      const marks = kept.filter((name) => answer.headers.has(name)).map((name) => `${name}: ${answer.headers.get(name)}`);
      shown.textContent = [`${answer.status} ${answer.statusText}`, ...marks, "", told].join("\n").slice(0, 100000);
    } catch (error) {
      shown.textContent = String(error);
    }
  });
}
