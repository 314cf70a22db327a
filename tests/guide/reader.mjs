// A reader who does what a document says: runs its commands and SQL, writes its files, and compares what it shows.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { binary } from '../integration/daemon.mjs';
import { freePort } from '../postgres/cluster.mjs';
import { Shell } from './shell.mjs';
import { difference, root } from './text.mjs';

/** What the role's login is in the scene; the reader types it where a command asks. */
const PASSWORD = 'correct horse battery staple';

export class Reader {
  /** A reader with a home, a working folder and a PATH of his own, before `cluster`. */
  static async begin(t, cluster) {
    const home = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-guide-'));
    const at = (name) => path.join(home, name);
    for (const name of ['bin', 'scratch', 'share', 'try']) fs.mkdirSync(at(name));
    fs.symlinkSync(binary(), at('bin/dupwatch'));
    // What the package has in /usr/share/dupwatch.
    for (const [name, folder] of [['alerts', 'alerts'], ['dashboards', 'dashboards'], ['sql', 'config']]) fs.symlinkSync(path.join(root, folder), at(`share/${name}`));
    const { PATH, LANG } = process.env;
    const env = { PATH: `${at('bin')}:${PATH}`, HOME: home, LANG: LANG ?? 'C.UTF-8', TZ: 'UTC', PGPORT: String(cluster.port), PGCONNECT_TIMEOUT: '10', PSQLRC: '/dev/null' };
    const ports = await Promise.all([9788, 9789, 9090, 9093].map(async (port) => [`127.0.0.1:${port}`, `127.0.0.1:${await freePort()}`]));
    const reader = new Reader({ home, env, cluster, cwd: at('try'), replaced: [...ports, ['/usr/share/dupwatch', at('share')], ['THE-PASSWORD', PASSWORD]] });
    t.after(async () => {
      await reader.shell.end();
      fs.rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    });
    return reader;
  }

  constructor(fields) {
    Object.assign(this, fields);
    this.shell = new Shell({ cwd: this.cwd, env: this.env, scratch: path.join(this.home, 'scratch') });
    this.commands = [];
  }

  /** The text with the addresses of this scene in place of the document's, or back again. */
  local(text) {
    return this.replaced.reduce((done, [from, to]) => done.replaceAll(from, to), text);
  }

  asWritten(text) {
    return this.replaced.reduce((done, [from, to]) => done.replaceAll(to, from), text);
  }

  /** Reads one block; `kinds` has a function for each language beside those that are known here. */
  async read(block, kinds = {}) {
    const { language, mark, at, body } = block;
    if (language === 'text') return this.compare(block);
    this.output = undefined;
    if (kinds[language]) return kinds[language](block, this);
    if (language === 'bash') return this.run(block);
    if (language === 'sql') return this.run({ ...block, body: `psql -v ON_ERROR_STOP=1 <<'SQL'\n${body}SQL\n`, line: block.line - 1 });
    if (['yaml', 'ini'].includes(language) && /^[\w.-]+$/.test(mark)) return fs.writeFileSync(path.join(this.cwd, mark), this.local(body));
    return assert.fail(`${at}: nobody knows what to do with a block of "${[language, mark].join(' ')}"`);
  }

  async run(block) {
    const { mark, at, body } = block;
    if (mark === 'asks-for-a-password') return this.answer(block);
    const [, code] = /^exit-code-(\d)$/.exec(mark) ?? [];
    assert.ok(!mark || code, `${at}: nobody knows the mark "${mark}"`);
    const ended = await this.shell.run({ ...block, body: this.local(body) }).catch((error) => assert.fail(`${at}: ${error.message}`));
    this.output = this.asWritten(ended.output);
    this.commands.push(...body.split('\n'));
    const [failed, ...more] = ended.failures;
    if (code) {
      assert.ok(failed && !more.length && ended.status === Number(code), `${at}: the exit code is ${ended.status}, not ${code}\n${this.output}`);
    } else {
      assert.ok(!failed && ended.status === 0, `${block.file}:${failed?.line ?? block.line}: ends with ${failed?.status ?? ended.status}: ${failed?.command}\n${this.output}`);
    }
    return undefined;
  }

  /** Types the password wherever the command asks for one, on a terminal of its own. */
  async answer({ body, at }) {
    const exports = await this.shell.run({ line: 1, body: 'export -p\n' });
    const file = path.join(this.home, 'scratch/asking');
    fs.writeFileSync(file, `${exports.output}set -e\n${this.local(body)}`);
    const child = spawn('script', ['-qefc', `bash ${file}`, '/dev/null'], { cwd: this.cwd, env: this.env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.output = '';
    let asked = 0;
    child.stdout.on('data', (data) => {
      this.output += data;
      for (const prompts = this.output.match(/(password|again)[^\n]*: /gi)?.length ?? 0; asked < prompts; asked += 1) child.stdin.write(`${PASSWORD}\n`);
    });
    const status = await new Promise((resolve) => { child.once('close', resolve); });
    assert.equal(status, 0, `${at}: ${this.output}`);
    assert.ok(asked > 0, `${at}: nobody was asked: ${this.output}`);
    this.commands.push(...body.split('\n'));
  }

  compare({ at, file, line, body }) {
    const { output } = this;
    assert.notEqual(output, undefined, `${at}: this output is of no command`);
    this.output = undefined;
    const differs = difference(body, output);
    if (differs) assert.fail(`${file}:${line + differs.line}: the command before it prints no "${differs.expected}" there, but\n${output}`);
  }
}
