// One bash for a whole document: what a block exports, starts or changes into is there for the next, as for a reader who
// types along.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const live = new Set();
// A test that is cut short must leave nothing behind either.
process.on('exit', () => {
  for (const shell of live) shell.kill();
});

const READY = '\u0001';

export class Shell {
  /** `cwd` and `env` are the shell's; its own files are in `scratch`. */
  constructor({ cwd, env, scratch }) {
    this.scratch = scratch;
    // A group of its own: what the blocks leave running ends with it.
    this.child = spawn('bash', ['--noprofile', '--norc'], { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    live.add(this);
    this.said = '';
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (data) => { this.said += data; });
    this.ended = new Promise((resolve) => { this.child.once('close', resolve); });
    // The trap names each command that fails; -o pipefail sees it behind a pipe too.
    this.child.stdin.write(`set -o pipefail -o errtrace\ntrap 'printf "%s\\t%s\\t%s\\n" "$?" "$LINENO" "$BASH_COMMAND" >>${scratch}/failures' ERR\n`);
  }

  /**
   * Runs a block to its end; resolves {status, output, failures: [{status, line, command}]}. Line numbers are the
   * document's, because the block stands in its file where it stands there.
   */
  async run({ line, body }, { timeoutMs = 60_000 } = {}) {
    const file = (name) => path.join(this.scratch, name);
    fs.writeFileSync(file('block'), '\n'.repeat(line - 1) + body);
    fs.writeFileSync(file('output'), '');
    fs.writeFileSync(file('failures'), '');
    const from = this.said.length;
    this.child.stdin.write(`. ${file('block')} >${file('output')} 2>&1 </dev/null; printf '${READY}%s\\n' "$?"\n`);
    const deadline = Date.now() + timeoutMs;
    let ended;
    while (!(ended = new RegExp(`${READY}(\\d+)\n`).exec(this.said.slice(from)))) {
      if (this.child.exitCode !== null) throw new Error(`the block ended the shell: ${fs.readFileSync(file('output'), 'utf8')}`);
      if (Date.now() > deadline) throw new Error(`not ended within ${timeoutMs} ms: ${fs.readFileSync(file('output'), 'utf8').slice(-2000)}`);
      await sleep(10);
    }
    const failures = fs.readFileSync(file('failures'), 'utf8').split('\n').filter(Boolean).map((text) => {
      const [status, at, ...command] = text.split('\t');
      return { status: Number(status), line: Number(at), command: command.join('\t') };
    }).filter(({ command }) => !command.startsWith('. /')); // the block itself, named once more
    return { status: Number(ended[1]), output: fs.readFileSync(file('output'), 'utf8'), failures };
  }

  /** Ends the shell and all that it has started. */
  async end() {
    this.kill();
    await this.ended;
  }

  kill() {
    live.delete(this);
    try {
      process.kill(-this.child.pid, 'SIGKILL');
    } catch {
      // It has ended, and with it all that it has started.
    }
  }
}
