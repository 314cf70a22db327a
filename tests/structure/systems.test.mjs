// The two scripts of the root say at once where they cannot work, in one line; and the workflow runs on what they know.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const within = (script, ...args) => spawnSync('unshare', ['--mount', 'sh', '-ec', script, 'sh', ...args], { cwd: root, encoding: 'utf8', timeout: 60_000 });
const skip = within('mount --bind /etc/hostname /etc/hostname').status !== 0 && 'no mount namespace can be made here';

for (const script of ['./quickstart', './test']) {
  test(`${script} on another system`, { skip }, (t) => {
    const file = path.join(os.tmpdir(), `dupwatch-os-release-${process.pid}`);
    t.after(() => fs.rmSync(file, { force: true }));
    for (const [text, name] of [['ID=fedora\nVERSION_ID=43\nPRETTY_NAME="Fedora Linux 43 (Server)"\n', 'Fedora Linux 43 (Server)'], ['ID=debian\nPRETTY_NAME="Debian GNU/Linux forky/sid"\n', 'Debian GNU/Linux forky/sid']]) {
      fs.writeFileSync(file, text);
      const { status, stdout, stderr } = within('mount --bind "$1" /etc/os-release; exec "$2"', file, script);
      assert.deepEqual([status, stdout], [1, '']);
      assert.equal(stderr, `error: ${name} is none of the systems that tests/releases names: debian 12, debian 13, ubuntu 24.04\n`);
    }
  });
}

test('the workflow runs on every Debian of tests/releases', () => {
  const releases = [...fs.readFileSync(path.join(root, 'tests/releases'), 'utf8').matchAll(/^debian (\d+) /gm)].map(([, release]) => release);
  const matrices = [...fs.readFileSync(path.join(root, '.github/workflows/test.yml'), 'utf8').matchAll(/^ +debian: \[(.*)\]$/gm)].map(([, list]) => list.split(', '));
  assert.ok(matrices.length >= 3);
  for (const list of matrices) assert.deepEqual(list, releases);
});
