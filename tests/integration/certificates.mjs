// Authorities and certificates made by openssl.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** A folder with two authorities, ca and other-ca, and what they sign. */
export class Certificates {
  constructor(dir) {
    this.dir = dir;
    fs.mkdirSync(dir, { recursive: true });
    for (const name of ['ca', 'other-ca']) {
      this.openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`);
    }
  }

  openssl(...args) { return execFileSync('openssl', args, { cwd: this.dir, stdio: ['ignore', 'pipe', 'pipe'] }); }
  file(name) { return path.join(this.dir, name); }
  read(name) { return fs.readFileSync(this.file(name), 'utf8'); }

  /** NAME.pem and NAME.key, signed by `ca`. */
  issue(name, { ca = 'ca', names = 'DNS:localhost,IP:127.0.0.1', rsa = false } = {}) {
    const kind = rsa ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    this.openssl('req', '-newkey', ...kind, '-nodes', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    fs.writeFileSync(this.file('extensions'), `subjectAltName=${names}\n`);
    this.openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-CAcreateserial', '-days', '2', '-extfile', 'extensions', '-out', `${name}.pem`);
    return { cert: this.read(`${name}.pem`), key: this.read(`${name}.key`) };
  }
}
