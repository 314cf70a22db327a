// Acknowledging a finding: who knows of it, until when and why; finding.js puts this into the story of each that stands.
import { element, utc } from "./format.js";

/** Sends what a person wants said of a finding; resolves to why that was refused, empty = done. */
async function tellDaemon(finding, act, body) {
  try {
    const response = await fetch(`api/findings/${finding.finding_id}/${act}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal: AbortSignal.timeout(20000),
    });
    const text = await response.text();
    if (!response.ok) return text.startsWith("{") ? JSON.parse(text).error : text;
    return JSON.parse(text).durable ? "" : "Done, but not durable yet: a restart of the daemon forgets it while neither findings.file nor findings.table takes it.";
  } catch {
    return "The daemon does not answer.";
  }
}

function button(text) {
  const made = element("button", "", text);
  made.type = "submit";
  return made;
}

function field(text, control) {
  return element("label", "field", element("span", "note", text), control);
}

/** A form that sends `act` with what its fields hold, and says when that was refused. */
function wishForm(finding, act, fields, submit) {
  const refused = element("p", "refused");
  refused.setAttribute("role", "alert");
  const form = element("form", "acknowledge", ...fields.map(({ label, control }) => field(label, control)), submit, refused);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    refused.textContent = await tellDaemon(finding, act, Object.fromEntries(new FormData(form)));
    // Done: the finding comes again by event, and this form is replaced.
    submit.disabled = false;
  });
  return form;
}

function control(tag, name, label, ...children) {
  const made = element(tag, "", ...children);
  made.name = name;
  return { label, control: made };
}

function acknowledgeForm(finding) {
  const comment = control("input", "comment", "Why, for those who come after you");
  comment.control.required = true;
  comment.control.maxLength = 300;
  const spans = [["1h", "1 hour"], ["8h", "8 hours"], ["24h", "1 day"], ["7d", "7 days"], ["30d", "30 days"]];
  const until = control("select", "until", "For", ...spans.map(([value, text]) => {
    const option = element("option", "", text);
    option.value = value;
    option.selected = value === "8h";
    return option;
  }));
  const by = control("input", "by", "Your name");
  by.control.maxLength = 30;
  by.control.autocomplete = "name";
  return wishForm(finding, "acknowledge", [comment, until, by], button("Acknowledge"));
}

/** What is said of the finding, and what can be; null where nothing can. */
export function acknowledgement(finding) {
  const said = finding.acknowledgement;
  if (finding.state === "acknowledged" && said) {
    return element("div", "said", element("p", "", "Acknowledged by ", element("bdi", "", said.by), ` until ${utc(said.until)}: `, element("bdi", "", said.comment)),
      wishForm(finding, "unacknowledge", [], button("Take back")));
  }
  if (finding.state !== "open") return null;
  const begin = element("button", "", "Acknowledge");
  begin.type = "button";
  begin.addEventListener("click", () => {
    const form = acknowledgeForm(finding);
    begin.parentElement.append(form);
    begin.remove();
    form.elements.comment.focus();
  });
  return element("div", "said", element("p", "note", "Somebody is on it? Then no alert stands for it until a time that you choose:"), begin);
}
