// What is written for whoever works on the code names files that exist.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('../../', import.meta.url);

for (const document of ['CONTRIBUTING.md', 'SECURITY.md', 'daemon/ARCHITECTURE.md']) {
  test(`every path in ${document} is there`, () => {
    const text = readFileSync(new URL(document, root), 'utf8');
    const links = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map(([, target]) => new URL(target, new URL(document, root)));
    // Paths from the root; capitals stand for a name, build/ and .git/ are no part of the repository.
    const named = [...text.matchAll(/`((?:alerts|config|daemon|dashboards|decoder|tests)\/[a-z0-9_./-]+)`/g)].map(([, path]) => new URL(path, root));
    assert.ok(links.length + named.length > 0);
    for (const path of [...links, ...named]) assert.ok(existsSync(path), path.pathname);
  });
}
