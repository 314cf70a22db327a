// The plain manifests, the sidecar and the CloudNativePG example: each object by its schema, all of them fitting together and
// to the alerts, and what is made of other files in step with those. kubectl merges what it merges without a cluster.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { settings } from '../../alerts/thresholds.mjs';
import { faults, kubernetes, objectsOf, parse, parseAll, root, selects, softSpots } from './objects.mjs';
import { output } from './tools.mjs';

const plain = fs.readdirSync(path.join(kubernetes, 'plain')).map((name) => `plain/${name}`);
const all = Object.fromEntries([...plain, 'secret.example.yaml', 'sidecar-podmonitor.yaml', 'cloudnativepg.yaml'].map((file) => [file, objectsOf(file)]));
const rules = fs.readFileSync(path.join(root, 'alerts/prometheusrule.yaml'), 'utf8').split(/^---$/m).map(parse).filter(Boolean);
const find = (kind, file = 'plain/dupwatch.yaml') => all[file].find((object) => object.kind === kind);
const deployment = find('Deployment');
const pod = deployment.spec.template;

const WORKERS = {
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'workers' },
  spec: { replicas: 3, selector: { matchLabels: { app: 'workers' } }, template: { metadata: { labels: { app: 'workers' } }, spec: { initContainers: [{ name: 'migrate', image: 'app' }], containers: [{ name: 'app', image: 'app' }] } } },
};
// As the API server merges it: with the same library.
const patched = JSON.parse(output('kubectl', ['patch', '--local', '--filename', '-', '--patch-file', path.join(kubernetes, 'sidecar-patch.yaml'), '--output', 'json'],
  { input: JSON.stringify(WORKERS) }));
const sidecar = patched.spec.template.spec.initContainers.find(({ name }) => name === 'dupwatch');

test('every object is one that Kubernetes, the Prometheus operator or CloudNativePG takes', () => {
  const objects = [...Object.values(all).flat(), ...rules, patched];
  assert.ok(objects.length >= 15, `${objects.length} objects`);
  assert.deepEqual(faults(objects), []);
});

test('an object that is wrong is told: type, missing field, field that does not exist, kind, value', () => {
  const broken = (change, of = deployment) => {
    const object = structuredClone(of);
    change(object);
    return object;
  };
  const wrong = [
    broken((object) => { object.spec.template.spec.containers[0].ports[0].containerPort = '9788'; }),
    broken((object) => { delete object.spec.selector; }),
    broken((object) => { object.spec.template.spec.containers[0].readynessProbe = {}; }),
    broken((object) => { object.spec.template.spec.securityContext.runAsNonroot = true; }),
    broken((object) => { object.apiVersion = 'apps/v1beta1'; }),
    broken((object) => { object.kind = 'Deploiment'; }),
    broken((object) => { object.spec.podMetricsEndpoints[0].paths = '/metrics'; }, find('PodMonitor', 'plain/podmonitor.yaml')),
    broken((object) => { object.spec.groups[0].rules[0].alarm = 'x'; }, rules[0]),
    broken((object) => { object.spec.managed.roles[0].replicate = true; }, find('Cluster', 'cloudnativepg.yaml')),
    broken((object) => { object.spec.postgresql.parameters.sync_replication_slots = true; }, find('Cluster', 'cloudnativepg.yaml')),
  ];
  const told = faults(wrong);
  assert.equal(told.length, wrong.length, JSON.stringify(told, null, 1));
});

test('the dashboards are those of dashboards/, and small enough for kubectl apply', () => {
  const maps = all['plain/dashboards.yaml'];
  const names = fs.readdirSync(path.join(root, 'dashboards')).filter((name) => name.endsWith('.json'));
  assert.deepEqual(maps.flatMap(({ data }) => Object.keys(data)).map((name) => name.replace('dupwatch-', '')).sort(), names.sort());
  for (const map of maps) {
    assert.equal(map.metadata.labels.grafana_dashboard, '1');
    for (const [name, text] of Object.entries(map.data)) {
      assert.deepEqual(JSON.parse(text), JSON.parse(fs.readFileSync(path.join(root, 'dashboards', name.replace('dupwatch-', '')), 'utf8')));
    }
    // kubectl apply keeps the object as JSON in an annotation; all annotations together may have 256 KiB.
    assert.ok(JSON.stringify(map).length < 200_000, `${JSON.stringify(map).length} bytes`);
  }
});

test('kustomize makes of them what they are, and the overlay of the README changes what it says', (t) => {
  const key = ({ kind, metadata }) => `${kind} ${metadata.name}`;
  const made = parseAll(output('kubectl', ['kustomize', kubernetes]));
  const known = new Map(plain.flatMap((file) => all[file]).map((object) => [key(object), object]));
  assert.deepEqual(made.map(key).sort(), [...known.keys()].sort());
  for (const object of made) assert.deepEqual(object, known.get(key(object)), key(object));

  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-kustomize-'));
  t.after(() => fs.rmSync(scratch, { recursive: true }));
  fs.cpSync(kubernetes, path.join(scratch, 'dupwatch/config/kubernetes'), { recursive: true });
  fs.mkdirSync(path.join(scratch, 'overlay'));
  const [, overlay] = /```yaml\n(apiVersion: kustomize[^]*?)```/.exec(fs.readFileSync(path.join(kubernetes, 'README.md'), 'utf8').replace(/^ {3}/gm, ''));
  fs.writeFileSync(path.join(scratch, 'overlay/kustomization.yaml'), overlay);
  const changed = parseAll(output('kubectl', ['kustomize', path.join(scratch, 'overlay')]));
  assert.deepEqual(faults(changed), []);
  assert.ok(changed.every(({ metadata }) => metadata.namespace === 'workflows'));
  const one = (kind) => changed.find((object) => object.kind === kind);
  assert.equal(one('Deployment').spec.template.spec.containers[0].image, 'registry.internal/dupwatch:0.1.0-1');
  assert.equal(parse(one('ConfigMap').data['dupwatch.yaml']).connection.dsn, 'host=app-rw.databases dbname=app user=dupwatch sslmode=verify-full sslrootcert=system');
});

test('selectors fit the labels of the Pod, and only of it', () => {
  const labels = pod.metadata.labels;
  assert.ok(selects(deployment.spec.selector, labels));
  assert.ok(selects(find('NetworkPolicy').spec.podSelector, labels));
  assert.ok(selects(find('PodMonitor', 'plain/podmonitor.yaml').spec.selector, labels));
  assert.ok(!selects(find('PodMonitor', 'plain/podmonitor.yaml').spec.selector, patched.spec.template.metadata.labels));
  assert.ok(selects(find('PodMonitor', 'sidecar-podmonitor.yaml').spec.selector, patched.spec.template.metadata.labels));
  assert.ok(selects(patched.spec.selector, patched.spec.template.metadata.labels), 'the patch breaks the selector of what it patches');
});

test('ports, Secret, ConfigMap and account are named alike where they are made and where they are used', () => {
  const [container] = pod.spec.containers;
  const [port] = container.ports;
  const config = parse(find('ConfigMap').data['dupwatch.yaml']);
  assert.equal(config.http.listen, `:${port.containerPort}`);
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) assert.equal(container[probe].httpGet.port, port.name);
  const [ingress] = find('NetworkPolicy').spec.ingress;
  assert.deepEqual(ingress.ports, [{ port: port.containerPort, protocol: 'TCP' }]);
  assert.equal(find('PodMonitor', 'plain/podmonitor.yaml').spec.podMetricsEndpoints[0].port, port.name);
  const [secret] = all['secret.example.yaml'];
  for (const { valueFrom } of [...container.env, ...sidecar.env]) {
    assert.equal(valueFrom.secretKeyRef.name, secret.metadata.name);
    assert.ok(valueFrom.secretKeyRef.key in secret.stringData);
  }
  assert.equal(pod.spec.volumes[0].configMap.name, find('ConfigMap').metadata.name);
  assert.equal(pod.spec.serviceAccountName, find('ServiceAccount').metadata.name);
  assert.equal(find('PodMonitor', 'sidecar-podmonitor.yaml').spec.podMetricsEndpoints[0].port, sidecar.ports[0].name);
  assert.equal(sidecar.ports[0].containerPort, port.containerPort);
  assert.equal(sidecar.image, container.image);
  assert.deepEqual(sidecar.args, container.args);
});

test('it is scraped under the job that the alerts select', () => {
  for (const [monitor, labels] of [[find('PodMonitor', 'plain/podmonitor.yaml'), pod.metadata.labels], [find('PodMonitor', 'sidecar-podmonitor.yaml'), patched.spec.template.metadata.labels]]) {
    assert.equal(labels[monitor.spec.jobLabel], settings.job);
    assert.equal(monitor.metadata.labels.release, rules[0].metadata.labels.release);
  }
});

test('one Pod, replaced and never doubled; a sidecar that Kubernetes keeps and that never makes its Pod unready', () => {
  assert.equal(deployment.spec.replicas, 1);
  assert.deepEqual(deployment.spec.strategy, { type: 'Recreate' });
  assert.equal(sidecar.restartPolicy, 'Always');
  assert.equal(sidecar.readinessProbe, undefined);
  // Before those that are there: what they write is seen too.
  assert.deepEqual(patched.spec.template.spec.initContainers.map(({ name }) => name), ['dupwatch', 'migrate']);
});

test('no root, no capability, nothing writable, no token, memory above that of the index', () => {
  assert.deepEqual(softSpots(pod.spec, pod.spec.containers[0]), []);
  assert.deepEqual(softSpots(patched.spec.template.spec, sidecar), []);
  assert.notDeepEqual(softSpots({ ...pod.spec, securityContext: {} }, pod.spec.containers[0]), []);
  assert.equal(pod.spec.automountServiceAccountToken, false);
  const dockerfile = fs.readFileSync(path.join(root, 'config/packaging/container/Dockerfile'), 'utf8');
  for (const context of [pod.spec.securityContext, sidecar.securityContext]) assert.ok(dockerfile.includes(`USER ${context.runAsUser}:${context.runAsGroup}`));
  const [, index] = /memory_max: (\d+)MiB/.exec(fs.readFileSync(path.join(root, 'config/dupwatch.yaml'), 'utf8'));
  for (const container of [pod.spec.containers[0], sidecar]) assert.ok(parseInt(container.resources.limits.memory, 10) >= Number(index) * 1.5);
});

test('the publication of the CloudNativePG example is the one that setup makes, and the role is the one of the Secret', () => {
  const { target, parameters, name } = find('Publication', 'cloudnativepg.yaml').spec;
  const golden = fs.readFileSync(path.join(root, 'tests/unit/postgres/golden/setup_workflow_devkit.sql'), 'utf8');
  const [{ table }] = target.objects;
  const columns = table.columns.map((column) => `"${column}"`).join(', ');
  const options = Object.entries(parameters).map(([key, value]) => `${key} = ${value === 'true' ? value : `''${value}''`}`).join(', ');
  assert.ok(golden.includes(`CREATE PUBLICATION "${name}" FOR TABLE "${table.schema}"."${table.name}" (${columns}) WITH (${options});`));
  const [role] = find('Cluster', 'cloudnativepg.yaml').spec.managed.roles;
  const secret = find('Secret', 'cloudnativepg.yaml');
  assert.equal(role.passwordSecret.name, secret.metadata.name);
  assert.equal(role.name, secret.stringData.username);
  assert.ok(role.login && role.replication);
});
