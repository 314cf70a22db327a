// Pictures for the documents, small enough for a repository.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';

/** What a picture may have; whoever reads a document waits for all of its pictures. */
export const PICTURE_BYTES_MAX = 150_000;

/** Writes what `page` of a browser shows to `file` as a PNG of at most 256 colours. */
export async function takePicture(page, file) {
  const { status, stdout, stderr, error } = spawnSync('pngquant', ['--quality=70-98', '--speed=1', '--strip', '-'], {
    input: await page.screenshot(), maxBuffer: 1 << 26,
  });
  if (error) throw new Error(`pictures are made with pngquant (apt-get install pngquant): ${error.message}`);
  assert.equal(status, 0, String(stderr));
  assert.ok(stdout.length <= PICTURE_BYTES_MAX, `${file} would have ${stdout.length} bytes`);
  fs.writeFileSync(file, stdout);
}
