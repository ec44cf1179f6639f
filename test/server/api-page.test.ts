import { expect, it, onTestFinished, vi } from 'vitest';
import { WorkerServer } from '../../src/app/server/worker-server.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { emptyDatabase } from '../support/database.ts';
import { template } from '../support/setup.ts';

async function serve(): Promise<URL> {
  const { url, drop } = await emptyDatabase();
  const server = new WorkerServer({ databaseUrl: url, logger: silentLogger, templates: [template({ a: [] })] });
  onTestFinished(async () => {
    await server.shutdown({ drainTimeoutMs: 100 });
    await drop();
  });
  await server.start({ handlers: [], web: { bindAddress: '127.0.0.1:0' } });
  return new URL('/api-docs/ui', server.url);
}

/** The part of a DOM document that the script of the page uses. */
class FakeElement {
  readonly localName: string;
  readonly attributes: Record<string, string> = {};
  children: (FakeElement | string)[] = [];
  readonly listeners: Record<string, (event: object) => void> = {};

  constructor(localName: string) {
    this.localName = localName;
  }

  setAttribute(name: string, value: string): void {
    this.attributes[name] = value;
  }

  append(...children: (FakeElement | string)[]): void {
    this.children.push(...children);
  }

  replaceChildren(...children: (FakeElement | string)[]): void {
    this.children = children;
  }

  addEventListener(name: string, listener: (event: object) => void): void {
    this.listeners[name] = listener;
  }

  get dataset(): Record<string, string> {
    const data = Object.entries(this.attributes).filter(([name]) => name.startsWith('data-'));
    return Object.fromEntries(data.map(([name, value]) => [name.slice('data-'.length), value]));
  }

  get name(): string | undefined {
    return this.attributes['name'];
  }

  value = '';

  get textContent(): string {
    return this.children.map((child) => (typeof child === 'string' ? child : child.textContent)).join('');
  }

  set textContent(text: string) {
    this.children = [text];
  }

  all(): FakeElement[] {
    return this.children.flatMap((child) => (typeof child === 'string' ? [] : [child, ...child.all()]));
  }

  querySelectorAll(selector: string): FakeElement[] {
    const matches = (one: FakeElement) =>
      selector.startsWith('.') ? one.attributes['class'] === selector.slice(1) : one.localName === selector;
    return this.all().filter(matches);
  }

  querySelector(selector: string): FakeElement | undefined {
    return this.querySelectorAll(selector)[0];
  }
}

/** Runs the script of the page as a browser would after loading it from this URL. */
async function browse(url: URL): Promise<FakeElement> {
  const page = new FakeElement('main');
  const { fetch } = globalThis;
  vi.stubGlobal('fetch', (path: string, init?: RequestInit) => fetch(new URL(path, url), init));
  vi.stubGlobal('location', { hash: '' });
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('document', {
    title: '',
    getElementById: (id: string) => (id === 'page' ? page : null),
    createElement: (name: string) => new FakeElement(name),
    createTextNode: (text: string) => text,
  });
  onTestFinished(() => void vi.unstubAllGlobals());
  await import(`${new URL('../../assets/api-docs/page.js', import.meta.url).href}?${url.port}`);
  return page;
}

it('the API page loads nothing from other hosts and runs only its own scripts', async () => {
  const url = await serve();
  const response = await fetch(url);
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self';/);
  expect(response.headers.get('content-security-policy')).not.toContain('unsafe');
  const html = await response.text();
  expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\son\w+=|https?:/);
  const loaded = [...html.matchAll(/\b(?:src|href)="([^"]+)"/g)].map(([, path]) => new URL(path!, url));
  expect(loaded.length).toBeGreaterThan(2);
  for (const each of [...loaded, new URL('ui/contents.js', url)]) {
    expect([each.pathname, (await fetch(each)).status]).toEqual([each.pathname, 200]);
  }
  expect((await fetch(new URL('/api-docs/ui/', url))).url).toBe(url.href);
  expect((await fetch(new URL('/api-docs/ui/index.html', url))).status).toBe(404);
});

it('the API page shows every operation with its parameters, responses and schemas', async () => {
  const url = await serve();
  const page = await browse(url);
  const { paths, components } = (await (await fetch(new URL('openapi.json', url))).json()) as {
    paths: Record<string, object>;
    components: { schemas: Record<string, object> };
  };
  const sections = page.querySelectorAll('details').map(({ attributes }) => attributes['id']);
  for (const path of Object.keys(paths)) expect(sections.join(' ')).toContain(`-${path}`);
  for (const name of Object.keys(components.schemas)) expect(sections).toContain(`schema-${name}`);
  const list = page.all().find(({ attributes }) => attributes['id'] === 'get-/v1/templates')!;
  expect(list.textContent).toContain(
    'include_cache_stats (optional)query, string: `true` adds statistics of the template cache.',
  );
  const links = page.querySelectorAll('a').flatMap(({ attributes }) => attributes['href'] ?? []);
  for (const link of links.filter((each) => each.startsWith('#'))) expect(sections).toContain(link.slice(1));
  const ready = page.all().find(({ attributes }) => attributes['id'] === 'schema-Ready')!;
  expect(ready.textContent).toMatch(/^Ready\{\n {2}timestamp: string \(date-time\)\n/);
  expect(ready.textContent).toContain('checks: { [name]: HealthCheck }');
});

it('the API page sends a request and shows the response', async () => {
  const url = await serve();
  const page = await browse(url);
  const form = page.querySelectorAll('form').find(({ dataset }) => dataset['path']?.endsWith('/{version}'))!;
  for (const input of form.querySelectorAll('input')) {
    input.value = { namespace: 'test', name: 'demo', version: '1.0.0' }[input.name!] ?? '';
  }
  page.listeners['submit']!({ target: form, preventDefault: () => {} });
  await expect.poll(() => form.querySelector('.answer')!.textContent).toMatch(/^200 OK\n\n\{\n {2}"template": \{/);
});
