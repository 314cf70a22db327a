// A TCP gate between the daemon and Postgres that knows what the connections are for, so that a fault can hit the
// replication connection, the SQL ones or all, at an exact byte. Loopback only; Postgres itself is never touched.
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const SSL_REQUEST = 80877103;
const GSS_REQUEST = 80877104;
const CANCEL_REQUEST = 80877102;
const TICK_MS = 20;

/** What a connection is for, from the client's first bytes: 'replication', 'sql' or 'cancel'; undefined: more needed. */
function kindOf(bytes) {
  for (let at = 0; at + 8 <= bytes.length;) {
    const length = bytes.readInt32BE(at);
    const code = bytes.readInt32BE(at + 4);
    if (code === CANCEL_REQUEST) return 'cancel';
    if (code !== SSL_REQUEST && code !== GSS_REQUEST) {
      if (bytes.length < at + length) return undefined;
      return bytes.subarray(at, at + length).includes('\0replication\0database\0') ? 'replication' : 'sql';
    }
    at += length;
  }
  return undefined;
}

/** One connection through the gate. */
class Link {
  constructor(gate, client) {
    this.gate = gate;
    this.client = client;
    this.server = net.connect({ host: '127.0.0.1', port: gate.targetPort, noDelay: true });
    this.opening = Buffer.alloc(0);
    this.down = 0; // bytes that went from the server to the client
    this.held = false; // the client's side stays open although the server's is gone
    client.setNoDelay(true);
    for (const socket of [client, this.server]) socket.on('error', () => this.close());
    this.pump(client, this.server, 'up');
    this.pump(this.server, client, 'down');
  }

  async pump(from, to, direction) {
    try {
      for await (const chunk of from) {
        if (direction === 'up') this.classify(chunk);
        await this.forward(chunk, to, direction);
      }
    } catch {
      // Reset by one side: the other is told below.
    }
    if (this.held && direction === 'down') return;
    if (this.held) this.close();
    to.end();
    if (from.destroyed && to.destroyed) this.gate.links.delete(this);
  }

  classify(chunk) {
    if (this.kind) return;
    this.opening = Buffer.concat([this.opening, chunk]);
    this.kind = kindOf(this.opening);
    if (!this.kind) return;
    const cut = this.gate.cuts[this.kind]?.shift();
    if (cut !== undefined) this.cutAt = cut;
  }

  async forward(chunk, to, direction) {
    let rest = chunk;
    while (rest.length) {
      const { hole, delayMs, bytesPerSecond } = this.gate.shape;
      if (hole && this.gate.hits(this)) {
        await hole.promise;
        continue;
      }
      if (delayMs) await sleep(delayMs);
      const size = bytesPerSecond && direction === 'down' ? Math.max(1, Math.round((bytesPerSecond * TICK_MS) / 1000)) : rest.length;
      const piece = rest.subarray(0, size);
      if (size < rest.length || bytesPerSecond) await sleep(TICK_MS);
      if (direction === 'down' && this.cutAt !== undefined && this.down + piece.length >= this.cutAt) {
        await this.write(to, piece.subarray(0, this.cutAt - this.down));
        this.gate.cutsMade += 1;
        // Half of the cuts are a reset, half an orderly end: a client sees them through different calls.
        if (this.gate.cutsMade % 2) this.client.resetAndDestroy();
        this.close();
        return;
      }
      await this.write(to, piece);
      if (direction === 'down') this.down += piece.length;
      rest = rest.subarray(piece.length);
    }
  }

  write(to, bytes) {
    if (this.held || !bytes.length) return undefined; // held: the client's bytes go nowhere
    return new Promise((resolve, reject) => {
      to.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Ends the server's side and tells the client nothing. */
  hold() {
    this.held = true;
    this.server.destroy();
  }

  close() {
    this.client.destroy();
    this.server.destroy();
    this.gate.links.delete(this);
  }
}

export class Gate {
  constructor(targetPort) {
    this.targetPort = targetPort;
    this.links = new Set();
    this.cuts = { replication: [], sql: [] };
    this.cutsMade = 0;
    this.shape = {};
  }

  /** Opens a gate in front of `targetPort`, closed at the end of test `t`. */
  static async open(t, targetPort) {
    const gate = new Gate(targetPort);
    await gate.accept();
    t.after(() => gate.refuse());
    return gate;
  }

  /** Listens, on the same port as before if there was one. */
  accept() {
    this.listener = net.createServer((client) => this.links.add(new Link(this, client)));
    return new Promise((resolve, reject) => {
      this.listener.once('error', reject);
      this.listener.listen(this.port ?? 0, '127.0.0.1', () => {
        this.port = this.listener.address().port;
        resolve();
      });
    });
  }

  /** Ends every connection and lets nobody in: "connection refused". */
  refuse() {
    this.pass();
    this.listener.close(); // stops listening at once; its callback would wait for the last connection
    for (const link of this.links) link.close();
  }

  of(kind) {
    return [...this.links].filter((link) => !kind || link.kind === kind);
  }

  hits(link) {
    return !this.shape.kind || this.shape.kind === link.kind;
  }

  /** Every coming connection of `kind` is cut after so many bytes from the server, in turn, until the list is empty. */
  cut(kind, bytes) {
    this.cuts[kind].push(...bytes);
  }

  /** The server's side of every connection of `kind` (all without one) ends, the client's side stays open and silent. */
  halfOpen(kind) {
    const links = this.of(kind);
    for (const link of links) link.hold();
    return links.length;
  }

  /** No byte passes on connections of `kind` (all without one), and nobody is told. */
  blackhole(kind) {
    let open;
    const promise = new Promise((resolve) => { open = resolve; });
    this.shape = { kind, hole: { promise, open } };
  }

  /** So many bytes a second from the server, per connection. */
  throttle(bytesPerSecond) {
    this.shape = { bytesPerSecond };
  }

  /** Every piece of data is late by so much, both ways. */
  delay(delayMs) {
    this.shape = { delayMs };
  }

  /** Forwards as a plain wire again. What a black hole has held back arrives late. */
  pass() {
    const { hole } = this.shape;
    this.shape = {};
    hole?.open();
  }
}
