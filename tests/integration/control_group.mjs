// Control groups that limit memory, of version 1 or 2, as a container or a unit has them.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { binary } from './daemon.mjs';

/** A new control group below this process' own with `bytes` of memory; undefined where none can be made. */
export function groupWith(t, bytes) {
  const groups = fs.readFileSync('/proc/self/cgroup', 'utf8').split('\n').map((line) => line.split(':'));
  const own = (controller) => groups.find(([, controllers]) => controllers?.split(',').includes(controller))?.[2];
  const [top, limit] = own('memory') ? [`/sys/fs/cgroup/memory${own('memory')}`, 'memory.limit_in_bytes'] : [`/sys/fs/cgroup${own('') ?? ''}`, 'memory.max'];
  const folder = path.join(top, `dupwatch-${process.pid}-${Date.now()}`);
  try {
    fs.mkdirSync(folder);
    fs.writeFileSync(path.join(folder, limit), String(bytes));
  } catch {
    return undefined;
  }
  t.after(() => fs.rmdirSync(folder));
  return folder;
}

/** A program that enters the group and becomes dupwatch. */
export function entering(t, folder) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-group-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const file = path.join(dir, 'dupwatch');
  fs.writeFileSync(file, `#!/bin/sh\necho $$ >${folder}/cgroup.procs && exec ${binary()} "$@"\n`, { mode: 0o755 });
  return file;
}
