// Every link leads to a page that is there: of alerts and dashboards to the daemon's own page, which has the runbooks, also
// under a path of a proxy; from runbook to runbook; and from page to page of the documents, with their headings.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { marked } from 'marked';
import { runCommand } from '../integration/daemon.mjs';
import { ask, basic } from '../integration/request.mjs';
import { daemonFor, serverWithSchema } from '../integration/scene.mjs';
import { alerts } from './promtool.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (name) => fs.readFileSync(path.join(root, name), 'utf8');
const runbooks = fs.readdirSync(path.join(root, 'alerts/runbooks')).map((file) => file.replace('.md', ''));
const PASSWORD = 'correct horse';

/** A proxy that serves the daemon below /ops/dupwatch/, as nginx does with proxy_pass http://daemon/. */
async function proxyTo(t, base) {
  const server = http.createServer((request, response) => {
    if (!request.url.startsWith('/ops/dupwatch/')) {
      response.writeHead(404).end();
      return;
    }
    const onward = http.request(base + request.url.slice('/ops/dupwatch'.length), { method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

const text = (html) => html.replaceAll(/<\/?a\b[^>]*>/g, '').replaceAll(/<[^>]+>/g, ' ').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&').replaceAll(/\s+/g, ' ').trim();
const tags = (html) => [...html.matchAll(/<(h1|h2|p|li|ul|ol|pre|code|table|tr|th|td)[ >]/g)].map(([, tag]) => tag);
const starts = (html) => [...html.matchAll(/<ol(?: start="(\d+)")?>/g)].map(([, number]) => number ?? '1');

test('alerts, dashboards and runbooks link to pages that the daemon has, also below a path of a proxy', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { http: { basic_auth: { user: 'ops', password: PASSWORD } } });
  await daemon.start();
  const authorization = basic('ops', PASSWORD);
  const proxy = await proxyTo(t, daemon.httpBase);
  const seen = new Map();
  /** The page at an address; it must be there. */
  const get = async (url) => {
    if (!seen.has(url)) {
      const { origin, pathname } = new URL(url);
      const { status, headers, body } = await ask(origin, pathname, { authorization });
      assert.equal(status, 200, url);
      seen.set(url, { headers, body });
    }
    return seen.get(url);
  };
  /** Every page that can be reached from one, without the API and files that are none. */
  const walk = async (from, inside) => {
    const todo = [from];
    const done = new Set();
    while (todo.length > 0) {
      const url = todo.pop();
      if (done.has(url)) continue;
      done.add(url);
      const { headers, body } = await get(url);
      if (!headers['content-type'].startsWith('text/html')) continue;
      for (const [, target] of body.matchAll(/(?:href|src)="([^"]+)"/g)) {
        const next = new URL(target, url);
        next.hash = '';
        assert.ok(next.href.startsWith(inside), `${url} links to ${next.href}`);
        todo.push(next.href);
      }
    }
    return done;
  };

  const instance = new URL(daemon.httpBase).host;
  const rules = read('alerts/dupwatch.rules.yml') + read('alerts/slots.rules.yml');
  const urls = [...rules.matchAll(/^ +(?:runbook|page|dashboard)_url: "(.*)"$/gm)].map(([, url]) => url.replaceAll('{{ $labels.instance }}', instance));
  assert.ok(urls.length > 60, `${urls.length} links`);
  const dashboards = ['overview', 'internals', 'fleet'].map((name) => read(`dashboards/${name}.json`)).join('');
  const boards = [...dashboards.matchAll(/"url": "([^"]+)"/g)].map(([, url]) => url);
  const uids = [...dashboards.matchAll(/"uid": "(dupwatch-[a-z]+)"/g)].map(([, uid]) => `/d/${uid}`);
  for (const url of boards.filter((url) => url.startsWith('/'))) assert.ok(uids.includes(url.split('?')[0]), url);
  urls.push(...boards.filter((url) => !url.startsWith('/')).map((url) => url.replace('${instance}', instance)));
  for (const url of urls) await get(url);

  for (const base of [daemon.httpBase, `${proxy}/ops/dupwatch`]) {
    const reached = await walk(`${base}/`, `${base}/`);
    for (const name of runbooks) assert.ok(reached.has(`${base}/runbooks/${name}`), `${name} is not reached from ${base}/`);
  }
  const { headers } = await get(`${daemon.httpBase}/`);
  const same = ['content-security-policy', 'x-content-type-options', 'referrer-policy', 'cache-control', 'x-frame-options'].filter((name) => name in headers);
  assert.ok(same.length > 2, same.join());
  for (const where of ['/runbooks/', '/runbooks/DupwatchDown']) {
    for (const name of same) assert.equal((await get(daemon.httpBase + where)).headers[name], headers[name], `${where} ${name}`);
    assert.equal((await ask(daemon.httpBase, where)).status, 401, `${where} without a password`);
  }
  for (const where of ['/runbooks/Nobody', '/runbooks/DupwatchDown.md', '/runbooks/../DupwatchDown', '/runbooks/%3Cscript%3E', '/runbooks/dupwatch.rules.yml']) {
    const { status, body } = await ask(daemon.httpBase, where, { authorization });
    assert.equal(status, 404, where);
    assert.ok(!body.includes('script'), body);
  }
  assert.equal((await ask(daemon.httpBase, '/runbooks/DupwatchDown', { method: 'POST', authorization })).status, 405);

  // What the daemon makes of a page, and what a well-known program makes of it.
  for (const name of runbooks) {
    const { body } = await get(`${daemon.httpBase}/runbooks/${name}`);
    const [, main] = /<main[^>]*>([\s\S]*)<\/main>/.exec(body);
    const wanted = marked.parse(read(`alerts/runbooks/${name}.md`)).replaceAll(/<\/?t(?:head|body)>/g, '');
    assert.equal(text(main), text(wanted), name);
    assert.deepEqual(tags(main), tags(wanted), name);
    assert.deepEqual(starts(main), starts(wanted), name);
  }
});

test('every runbook that a rule names is in the program', async () => {
  for (const { rule } of alerts) {
    const { code, stdout } = await runCommand(['alerts', '--runbook', rule.name]);
    assert.deepEqual([code, stdout], [0, read(`alerts/runbooks/${rule.name}.md`)]);
  }
});

/** The ids that headings of a Markdown page have on the sites that show it. */
const headings = (markdown) => new Set([...markdown.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)]
  .map(([, heading]) => heading.toLowerCase().replaceAll(/[`*]/g, '').replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').trim().replaceAll(/\s/g, '-')));

test('every link of the documents leads to a file and a heading that are there', () => {
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: root, encoding: 'utf8' }).split('\n').filter(Boolean);
  assert.ok(files.length > 80, `${files.length} documents`);
  let count = 0;
  const dead = [];
  for (const file of files) {
    const prose = read(file).replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '');
    for (const [, target] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      count += 1;
      const [where, anchor] = target.split('#');
      const found = where ? path.join(path.dirname(file), where) : file;
      if (!fs.existsSync(path.join(root, found))) dead.push(`${file}: ${target}`);
      else if (anchor && found.endsWith('.md') && !headings(read(found)).has(anchor)) dead.push(`${file}: ${target} (no such heading)`);
    }
  }
  assert.deepEqual(dead, []);
  assert.ok(count > 200, `${count} links`);
});
