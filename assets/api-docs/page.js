import { contentsOf, requestOf } from './contents.js';

const page = document.getElementById('page');

function elementOf(node) {
  if (typeof node === 'string') return document.createTextNode(node);
  const [tag, attributes, ...children] = node;
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.map(elementOf));
  return element;
}

/** A link to a schema or an operation opens it. */
function openLinked() {
  const linked = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (linked?.localName !== 'details') return;
  linked.open = true;
  linked.scrollIntoView();
}

async function send(form) {
  const { path, method } = form.dataset;
  const inputs = [...form.querySelectorAll('input')];
  const fields = inputs.map(({ name, value, dataset }) => ({ name, value, place: dataset.in }));
  const { url, headers } = requestOf(path, fields);
  const body = form.querySelector('textarea');
  const answer = form.querySelector('.answer');
  try {
    const response = await fetch(url, {
      method,
      headers: { ...headers, ...(body && { 'content-type': body.dataset.type }) },
      ...(body && { body: body.value }),
    });
    answer.textContent = `${response.status} ${response.statusText}\n\n${indented(await response.text())}`;
  } catch (error) {
    answer.textContent = `no answer: ${error.message}`;
  }
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // not every answer is JSON
  }
}

page.addEventListener('submit', (event) => {
  event.preventDefault();
  void send(event.target);
});
addEventListener('hashchange', openLinked);

try {
  const response = await fetch('openapi.json');
  if (!response.ok) throw new Error(`openapi.json is answered with ${response.status}`);
  const contents = await response.json();
  document.title = contents.info.title;
  page.replaceChildren(...contentsOf(contents).map(elementOf));
  openLinked();
} catch (error) {
  page.textContent = `The document of the API can't be read: ${error.message}`;
}
