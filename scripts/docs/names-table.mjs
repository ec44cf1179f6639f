/** Generates the table in docs/typescript-names.md: the exports of the TypeScript package and their place in this one. */

const code = (name) => `\`${name}\``;

/** Returns the title, file and names of each reference page, from the index. */
function pagesOf(reference) {
  return reference
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const links = [...section.matchAll(/^\| \[`(\w+)`\]\(([\w-]+\.md)#\w+\)/gm)];
      return { title: section.split('\n')[0], file: links[0]?.[2], names: links.map(([, name]) => name) };
    });
}

/** Returns the text between the markers of the page. `reference` is the text of docs/reference/README.md. */
export function namesTable({ names, absent }, reference) {
  const there = pagesOf(reference).flatMap(({ title, file, names: ours }) => {
    const shared = ours.filter((name) => names.includes(name));
    const links = shared.map((name) => `[${code(name)}](reference/${file}#${name.toLowerCase()})`);
    return links.length > 0 ? [`| ${title} | ${links.join(', ')} |`] : [];
  });
  const left = Object.entries(absent).map(([reason, some]) => `| ${some.map(code).join(', ')} | ${reason} |`);
  return ['| | names |', '|---|---|', ...there, '', 'Not here:', '', '| names | why |', '|---|---|', ...left].join(
    '\n',
  );
}

/** Returns the page with the current table. */
export function withNames(page, table) {
  return page.replace(
    /(<!-- names: written by scripts\/write-names\.mjs -->\n)[\s\S]*?(<!-- end of names -->)/,
    (_, begin, end) => `${begin}\n${table}\n\n${end}`,
  );
}
