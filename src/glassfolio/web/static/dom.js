// Making elements without markup: whatever is shown is text, so nothing shown can become markup.

/** An element. given: properties, attributes with a dash or `role`, and `on…` listeners. */
export function make(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "role" || name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Set an attribute, or take it away where the value is null. */
export function attribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** Show a text, touching nothing where it stands there already. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Save text as a file. */
export function save(filename, blob) {
  const address = URL.createObjectURL(blob);
  const link = make("a", { href: address, download: filename });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
