// Uploads disks in parts (tus 1.0.0) and goes on where an earlier try stopped.
"use strict";

const PART_BYTES = 8 << 20;
const headers = (more) => ({ "Tus-Resumable": "1.0.0", ...more });

// What tells this file from one that was built anew; a whole digest would read it twice.
const fingerprint = (file) => `${file.lastModified} ${file.size}`;

async function begin(base, file) {
  const answered = await fetch(base);
  if (!answered.ok) throw new Error(String(answered.status));
  const print = fingerprint(file);
  const same = (await answered.json()).find(
    (one) => one.name === file.name && one.fingerprint === print && !one.complete,
  );
  if (same) return same;
  const name = btoa(String.fromCharCode(...new TextEncoder().encode(file.name)));
  const about = `filename ${name},fingerprint ${btoa(print)}`;
  const more = { "Upload-Length": String(file.size), "Upload-Metadata": about };
  const answer = await fetch(base, { method: "POST", headers: headers(more) });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.errors ? body.errors[0].required : body.detail);
  return body;
}

async function part(place, file, offset) {
  const more = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) };
  const body = file.slice(offset, offset + PART_BYTES);
  const answer = await fetch(place, { method: "PATCH", headers: headers(more), body });
  const next = Number(answer.headers.get("Upload-Offset"));
  if (answer.status !== 204 && answer.status !== 409) throw new Error(String(answer.status));
  return next;
}

async function upload(input) {
  const file = input.files[0];
  const bar = document.getElementById(`${input.id}-progress`);
  const words = document.getElementById(`${input.id}-state`);
  if (!file) return;
  bar.hidden = false;
  bar.max = file.size;
  try {
    const { id, offset } = await begin(input.dataset.upload, file);
    const place = `${input.dataset.upload}/${id}`;
    let at = offset;
    let tries = 0;
    while (at < file.size) {
      bar.value = at;
      try {
        at = await part(place, file, at);
        tries = 0;
      } catch (error) {
        if (++tries > 6) throw error;
        await new Promise((done) => setTimeout(done, 1000 * 2 ** tries));
        const found = await fetch(place).catch(() => null);
        if (found && found.ok) at = (await found.json()).offset;
      }
    }
    bar.value = file.size;
    const cells = [...document.getElementById(input.dataset.target).querySelectorAll("input[name$=osDiskUrl]")];
    const cell = cells.find((one) => !one.value) || cells[cells.length - 1];
    const version = document.getElementById(cell.id.replace("osDiskUrl", "version"));
    cell.value = `upload:${id}`;
    version.value ||= "1.0.0";
    cell.dispatchEvent(new Event("input", { bubbles: true }));
    words.textContent = `${words.dataset.done} upload:${id}`;
  } catch (error) {
    words.textContent = `${words.dataset.failed} ${error.message}`;
  }
}

for (const input of document.querySelectorAll("input[data-upload]")) {
  input.closest(".upload").hidden = false;
  input.addEventListener("change", () => upload(input));
}
