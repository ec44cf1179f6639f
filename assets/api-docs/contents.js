// Turns an OpenAPI document into plain lists for the page: a text, or [tag, attributes, ...children]. No part of it is
// read as HTML.

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/** Returns everything on the page, in order. */
export function contentsOf(document) {
  const { info, paths = {}, components = {} } = document;
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => operationOf(path, method, item[method])),
  );
  const schemas = Object.entries(components.schemas ?? {}).map(([name, schema]) =>
    section(`schema-${name}`, [['code', {}, name]], [['pre', {}, ...shapeOf(schema)]]),
  );
  return [
    ['h1', {}, info.title, ' ', ['small', { class: 'quiet' }, info.version]],
    ['p', {}, 'The same for machines: ', ['a', { href: 'openapi.json' }, 'openapi.json']],
    ['h2', {}, 'Operations'],
    ...operations,
    ...(schemas.length > 0 ? [['h2', {}, 'Schemas'], ...schemas] : []),
  ];
}

function section(id, summary, body) {
  return ['details', { id }, ['summary', {}, ...summary], ...body];
}

function operationOf(path, method, { summary = '', parameters = [], requestBody, responses = {} }) {
  const head = [['code', { class: 'method' }, method.toUpperCase()], ['code', {}, path], ' '];
  return section(
    `${method}-${path}`,
    [...head, ['span', { class: 'quiet' }, summary]],
    [formOf(path, method, parameters, requestBody), ...Object.entries(responses).map(responseOf)],
  );
}

/** Fields for what an operation takes, and a button that sends it. */
function formOf(path, method, parameters, requestBody) {
  const rows = parameters.map(({ name, in: place, required, description = '', schema = {} }) => [
    'tr',
    {},
    ['td', {}, ['code', {}, name], required ? '' : ['span', { class: 'quiet' }, ' (optional)']],
    ['td', {}, ['input', { name, 'data-in': place, 'aria-label': name, ...(required && { required: '' }) }]],
    ['td', { class: 'quiet' }, place, ', ', ...shapeOf(schema), description ? `: ${description}` : ''],
  ]);
  const [body] = Object.entries(requestBody?.content ?? {});
  return [
    'form',
    { 'data-path': path, 'data-method': method.toUpperCase() },
    ...(rows.length > 0 ? [['table', {}, ...rows]] : []),
    ...(body
      ? [
          ['pre', {}, ...shapeOf(body[1].schema ?? {})],
          ['p', {}, ['textarea', { name: 'body', 'data-type': body[0], rows: '8', cols: '80', 'aria-label': 'body' }]],
        ]
      : []),
    ['button', { type: 'submit' }, 'Send'],
    ['pre', { class: 'answer', 'aria-live': 'polite' }],
  ];
}

function responseOf([status, { description = '', content = {} }]) {
  const [form] = Object.entries(content);
  return [
    'div',
    {},
    ['strong', {}, status],
    ` ${description} `,
    ['span', { class: 'quiet' }, form?.[0] ?? ''],
    ...(form ? [['pre', {}, ...shapeOf(form[1].schema ?? {})]] : []),
  ];
}

/** A schema in the manner of TypeScript; what has a name is a link. */
export function shapeOf(schema, indent = '') {
  const { $ref, enum: values, anyOf, oneOf, allOf, items, properties, additionalProperties } = schema;
  if ($ref) {
    const name = $ref.split('/').at(-1);
    return [['a', { href: `#schema-${name}` }, name]];
  }
  if ('const' in schema) return [JSON.stringify(schema.const)];
  if (values) return [values.map((value) => JSON.stringify(value)).join(' | ')];
  if (anyOf ?? oneOf) return joined(anyOf ?? oneOf, ' | ', indent);
  if (allOf) return joined(allOf, ' & ', indent);
  if (items) return [...shapeOf(items, indent), '[]'];
  if (properties) return fieldsOf(schema, indent);
  if (additionalProperties) return ['{ [name]: ', ...shapeOf(additionalProperties, indent), ' }'];
  const type = [schema.type ?? 'any'].flat().join(' | ');
  return [schema.format ? `${type} (${schema.format})` : type];
}

function joined(schemas, sign, indent) {
  return schemas.flatMap((schema, i) => [...(i > 0 ? [sign] : []), ...shapeOf(schema, indent)]);
}

function fieldsOf({ properties, required = [] }, indent) {
  const deeper = `${indent}  `;
  const fields = Object.entries(properties).flatMap(([name, schema]) => [
    `\n${deeper}${name}${required.includes(name) ? '' : '?'}: `,
    ...shapeOf(schema, deeper),
    schema.description ? `  // ${schema.description}` : '',
  ]);
  return ['{', ...fields, `\n${indent}}`];
}

/** Where a form's request goes, relative to the page, by the values of its fields. */
export function requestOf(path, fields) {
  const query = new URLSearchParams();
  const headers = {};
  let filled = path;
  for (const { name, place, value } of fields) {
    if (place === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(value));
    else if (value === '') continue;
    else if (place === 'header') headers[name] = value;
    else query.append(name, value);
  }
  const search = query.size > 0 ? `?${query}` : '';
  return { url: `..${filled}${search}`, headers };
}
