// The tests of the page, the API, the readers of events and the crowd once more, with every daemon speaking TLS.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Certificates } from '../integration/certificates.mjs';
import { full } from '../integration/scene.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const FILES = ['tests/page/page.test.mjs', 'tests/page/load.test.mjs', 'tests/page/history.test.mjs', 'tests/integration/http_crowd.test.mjs',
  'tests/integration/findings_file.test.mjs', 'tests/integration/coverage.test.mjs'];

for (const file of FILES) {
  test(`${file} over TLS`, { skip: !full && 'a long proof', timeout: 900_000 }, async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-tls-'));
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const certificates = new Certificates(folder);
    certificates.issue('server');
    // Node reads its further authorities once, as it starts.
    const env = { ...process.env, DUPWATCH_TLS: folder, NODE_EXTRA_CA_CERTS: certificates.file('ca.pem') };
    delete env.NODE_TEST_CONTEXT; // Of the runner above: the one below says by its exit code how it went.
    const child = spawn(process.execPath, ['--test', '--test-reporter=tap', file], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (data) => { said += data; });
    const code = await new Promise((resolve) => { child.on('close', resolve); });
    for (const [, told] of said.matchAll(/^\s*# ((?!Subtest|duration|tests|suites|pass|fail|cancelled|skipped|todo).*)$/gm)) t.diagnostic(told);
    assert.equal(code, 0, said);
    assert.match(said, /^# pass [1-9]/m);
  });
}
