// One HTTP request with the method, the login and the certificate that a test wants.
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';

/** The value of Authorization for a user and a password. */
export const basic = (user, password) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** Node's client for an address: that of http or of https. */
export const clientFor = (base) => (base.startsWith('https') ? https : http);

/** A socket to where `base` listens, by TLS where it says https; `ready` is called once it can be written to. */
export function connectTo(base, ready) {
  const { hostname, port, protocol } = new URL(base);
  return (protocol === 'https:' ? tls : net).connect({ host: hostname, port: Number(port) }, ready);
}

/** One request over a connection of its own; resolves {status, headers, body}; status 0 when the server hangs up or says nothing for 10 s. */
export function ask(base, where, { method = 'GET', authorization, ca, cert, key, headers = {} } = {}) {
  return new Promise((resolve) => {
    const options = { method, agent: false, ca, cert, key, timeout: 10_000, headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) } };
    const request = clientFor(base).request(base + where, options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (data) => { body += data; });
      response.on('close', () => resolve({ status: response.statusCode, headers: response.headers, body }));
      // A stream of events has no end of its own.
      if (/event-stream/.test(response.headers['content-type'])) response.once('data', () => request.destroy());
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve({ status: 0, headers: {}, body: '' }));
    request.end();
  });
}
