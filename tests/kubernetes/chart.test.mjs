// The chart: what it renders by default is the plain manifests, every other way of it is made of valid objects, its values are
// those of its schema and README, and a mistake is refused. All of it by helm itself, without a cluster.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { settings } from '../../alerts/thresholds.mjs';
import { DSN, folder, ofKind, render, withDsn } from './chart.mjs';
import { faults, objectsOf, parse, root, selects, softSpots } from './objects.mjs';
import { output, run } from './tools.mjs';

const read = (name) => fs.readFileSync(path.join(folder, name), 'utf8');
const values = parse(read('values.yaml'));
const schema = JSON.parse(read('values.schema.json'));
const MONITORED = { podMonitor: { enabled: true }, prometheusRule: { enabled: true }, dashboards: { enabled: true } };
const POLICY = { networkPolicy: { enabled: true } };
const ORDERS = { name: 'orders', config: { connection: { dsn: 'host=orders dbname=orders user=dupwatch' } }, database: { existingSecret: 'orders' } };
const peer = [{ podSelector: { matchLabels: { 'cnpg.io/cluster': 'app' } } }];
const VARIANTS = {
  default: withDsn(),
  monitored: withDsn(MONITORED),
  several: withDsn({ replicas: 2, config: { findings: { table: 'dupwatch.findings' } }, ...MONITORED }),
  'service file': withDsn({ database: { serviceFileKey: 'pg_service.conf', caSecret: 'app-ca' } }),
  'no password': withDsn({ database: { existingSecret: '' } }),
  login: withDsn({ httpAuth: { existingSecret: 'dupwatch-http' }, ...MONITORED }),
  pgoutput: withDsn({ config: { slot: { plugin: 'pgoutput', publication: 'dupwatch' } } }),
  wal2json: withDsn({ config: { slot: { plugin: 'wal2json' } } }),
  'findings file': withDsn({ findingsVolume: { persistentVolumeClaim: { claimName: 'dupwatch' } }, config: { findings: { file: '/var/lib/dupwatch/findings.jsonl' } } }),
  'environment alone': { extraEnv: [{ name: 'PGHOST', value: 'postgres' }], extraEnvFrom: [{ secretRef: { name: 'pg' } }] },
  everything: withDsn({
    ...MONITORED, replicas: 3, port: 9999, nameOverride: 'watcher', image: { repository: 'r/d', digest: `sha256:${'a'.repeat(64)}` },
    imagePullSecrets: [{ name: 'pull' }], serviceAccount: { create: false, name: 'mine' }, priorityClassName: 'high',
    networkPolicy: { enabled: true, database: { port: 6543, to: peer }, extraEgress: [{ ports: [{ port: 443, protocol: 'TCP' }] }] },
    podAnnotations: { a: 'b' }, podLabels: { c: 'd' }, nodeSelector: { e: 'f' }, tolerations: [{ operator: 'Exists' }],
    affinity: { nodeAffinity: {} }, extraVolumes: [{ name: 'tmp', emptyDir: {} }], extraVolumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
    dashboards: { enabled: true, annotations: { folder: 'x' }, namespace: 'grafana' },
    commonLabels: { team: 'a' }, commonAnnotations: { owner: 'b' }, deploymentAnnotations: { g: 'h' }, revisionHistoryLimit: 3,
    service: { type: 'NodePort', port: 80, labels: { i: 'j' }, annotations: { k: 'l' } },
    livenessProbe: { periodSeconds: 20, initialDelaySeconds: 3 }, startupProbe: { failureThreshold: 7 }, readinessProbe: { successThreshold: 2 },
    extraArgs: ['--log-level', 'debug'], initContainers: [{ name: 'before', image: 'r/i' }], extraContainers: [{ name: 'beside', image: 'r/e' }],
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }],
    hostAliases: [{ ip: '127.0.0.1', hostnames: ['db'] }], dnsPolicy: 'None', dnsConfig: { nameservers: ['127.0.0.1'] },
  }),
  closed: withDsn({ networkPolicy: { enabled: true, metricsFrom: [] } }),
  open: withDsn({ podDisruptionBudget: { enabled: false }, replicas: 2 }),
  'service monitor': withDsn({ serviceMonitor: { enabled: true, namespace: 'monitoring', relabelings: [{ targetLabel: 'a', replacement: 'b' }], metricRelabelings: [{ action: 'labeldrop', regex: 'x' }] }, ...POLICY }),
  'no service': withDsn({ service: { enabled: false } }),
  databases: withDsn({ ...MONITORED, ...POLICY, databases: [ORDERS, { name: 'pay-1', replicas: 2, config: { slot: { name: 'own' } } }] }),
};

test('every way of it renders objects that the servers take', () => {
  const objects = Object.entries(VARIANTS).flatMap(([name, given]) => render(given).objects.map((object) => ({ name, object })));
  assert.ok(objects.length > 60, `${objects.length} objects`);
  assert.deepEqual(faults(objects.map(({ object }) => object)), []);
});

test('with the monitoring and the network policy switched on, without a Service, it renders the plain manifests and the rules of alerts/', () => {
  const known = ['plain/dupwatch.yaml', 'plain/podmonitor.yaml', 'plain/dashboards.yaml'].flatMap(objectsOf);
  const rules = fs.readFileSync(path.join(root, 'alerts/prometheusrule.yaml'), 'utf8').split(/^---$/m).map(parse).filter(Boolean);
  const key = ({ kind, metadata }) => `${kind} ${metadata.name}`;
  const stripped = (object) => {
    const copy = structuredClone(object);
    for (const label of ['helm.sh/chart', 'app.kubernetes.io/managed-by', 'app.kubernetes.io/version', 'app.kubernetes.io/instance']) delete copy.metadata.labels[label];
    if (copy.kind === 'ConfigMap') copy.data = Object.fromEntries(Object.entries(copy.data).map(([name, text]) => [name, parse(text)]));
    delete copy.spec?.template?.metadata.annotations;
    // The chart's holds for the Pod of helm test too.
    delete copy.spec?.podSelector;
    return copy;
  };
  const rendered = new Map(render(withDsn({ ...MONITORED, ...POLICY, service: { enabled: false } })).objects.filter(({ kind }) => kind !== 'Pod').map((object) => [key(object), stripped(object)]));
  assert.deepEqual([...rendered.keys()].sort(), [...known, ...rules].map(key).sort());
  for (const object of [...known, ...rules]) assert.deepEqual(rendered.get(key(object)), stripped(object), key(object));
});

test('by default neither the Prometheus operator nor Grafana is needed', () => {
  assert.deepEqual(render(withDsn()).objects.map(({ kind }) => kind).sort(), ['ConfigMap', 'Deployment', 'Pod', 'Service', 'ServiceAccount']);
});

test('selectors fit the Pods of the Deployment, and not that of helm test', () => {
  for (const [name, given] of Object.entries(VARIANTS)) {
    const { objects } = render(given, { release: 'prod' });
    const { metadata: { labels }, spec } = ofKind(objects, 'Deployment').spec.template;
    const test = ofKind(objects, 'Pod');
    const service = ofKind(objects, 'Service');
    for (const object of objects) {
      const selector = object.spec?.podSelector ?? object.spec?.selector;
      if (!selector || object.metadata.labels['app.kubernetes.io/component'] !== ofKind(objects, 'Deployment').metadata.labels['app.kubernetes.io/component']) continue;
      assert.ok(selects(selector, object.kind === 'ServiceMonitor' ? service.metadata.labels : labels), `${name}: ${object.kind}`);
      // What dupwatch may reach is tried by helm test; nothing else takes its Pod for dupwatch.
      assert.equal(selects(selector, test.metadata.labels), object.kind === 'NetworkPolicy', `${name}: ${object.kind} and the test`);
    }
    const account = ofKind(objects, 'ServiceAccount');
    if (account) assert.equal(spec.serviceAccountName, account.metadata.name);
    for (const pod of [spec, test.spec]) assert.deepEqual(softSpots(pod, pod.containers[0]), [], name);
    for (const container of [spec.containers[0], test.spec.containers[0]]) {
      const volumes = (container === spec.containers[0] ? spec : test.spec).volumes.map((volume) => volume.name);
      for (const mount of container.volumeMounts) assert.ok(volumes.includes(mount.name), `${name}: ${mount.name}`);
    }
    const monitor = ofKind(objects, 'PodMonitor');
    if (!monitor) continue;
    const [{ relabelings }] = monitor.spec.podMetricsEndpoints;
    assert.equal(monitor.spec.jobLabel ? labels[monitor.spec.jobLabel] : relabelings[0].replacement, settings.job, name);
  }
});

test('the port is one in the configuration, the container, the probes and the network policy', () => {
  const { objects, notes } = render(VARIANTS.everything);
  const [container] = ofKind(objects, 'Deployment').spec.template.spec.containers;
  assert.equal(container.ports[0].containerPort, 9999);
  assert.equal(parse(ofKind(objects, 'ConfigMap').data['dupwatch.yaml']).http.listen, ':9999');
  const policy = ofKind(objects, 'NetworkPolicy').spec;
  assert.equal(policy.ingress[0].ports[0].port, 9999);
  assert.deepEqual(policy.egress[1], { ports: [{ port: 6543, protocol: 'TCP' }], to: peer });
  assert.equal(policy.egress.length, 3);
  assert.match(notes, /9999/);
  assert.equal(container.image, `r/d@sha256:${'a'.repeat(64)}`);
});

test('what people add to an object is there, beside what the chart says', () => {
  const { objects } = render(VARIANTS.everything);
  const { metadata, spec } = ofKind(objects, 'Deployment');
  const pod = spec.template;
  const [own, ...others] = pod.spec.containers;
  for (const object of [...objects, pod]) {
    assert.equal(object.metadata.labels.team, 'a', object.kind);
    assert.equal(object.metadata.annotations.owner, 'b', object.kind);
  }
  assert.equal(metadata.annotations.g, 'h');
  assert.equal(spec.revisionHistoryLimit, 3);
  assert.deepEqual(others, [{ name: 'beside', image: 'r/e' }]);
  assert.deepEqual(pod.spec.initContainers, [{ name: 'before', image: 'r/i' }]);
  assert.deepEqual(own.args, ['run', '--config', '/etc/dupwatch/dupwatch.yaml', '--log-level', 'debug']);
  assert.deepEqual(own.livenessProbe, { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 20, timeoutSeconds: 5, failureThreshold: 3, initialDelaySeconds: 3 });
  assert.equal(own.readinessProbe.successThreshold, 2);
  assert.equal(ofKind(render(withDsn({ startupProbe: { failureThreshold: 7 } })).objects, 'Deployment').spec.template.spec.containers[0].startupProbe.failureThreshold, 7);
  const { topologySpreadConstraints, hostAliases, dnsPolicy, dnsConfig } = VARIANTS.everything;
  for (const [key, value] of Object.entries({ topologySpreadConstraints, hostAliases, dnsPolicy, dnsConfig })) assert.deepEqual(pod.spec[key], value, key);
  const service = ofKind(objects, 'Service');
  assert.deepEqual([service.spec.type, service.spec.ports[0].port, service.spec.ports[0].targetPort, service.metadata.labels.i, service.metadata.annotations.k], ['NodePort', 80, 'http', 'j', 'l']);
  assert.equal(objects.find(({ kind, metadata: { name } }) => kind === 'ConfigMap' && /dashboard/.test(name)).metadata.namespace, 'grafana');
});

test('a ServiceMonitor stands for a PodMonitor, and both together are refused', () => {
  const monitor = ofKind(render(VARIANTS['service monitor']).objects, 'ServiceMonitor');
  assert.equal(monitor.metadata.namespace, 'monitoring');
  assert.deepEqual(monitor.spec.namespaceSelector, { matchNames: ['dupwatch'] });
  const { relabelings, metricRelabelings } = VARIANTS['service monitor'].serviceMonitor;
  assert.deepEqual([monitor.spec.endpoints[0].relabelings, monitor.spec.endpoints[0].metricRelabelings], [relabelings, metricRelabelings]);
  assert.throws(() => render(withDsn({ serviceMonitor: { enabled: true }, podMonitor: { enabled: true } })), /scrapes the Pods, and both would do so twice/);
  assert.throws(() => render(withDsn({ serviceMonitor: { enabled: true }, service: { enabled: false } })), /needs service\.enabled/);
});

test('of several databases each has an instance, a configuration and a slot of its own, and its name on its metrics', () => {
  const { objects, notes } = render(VARIANTS.databases);
  const of = (kind, name) => ofKind(objects, kind, `dupwatch-${name}`);
  const config = (name) => parse(of('ConfigMap', name).data['dupwatch.yaml']);
  assert.equal(config('orders').connection.dsn, ORDERS.config.connection.dsn);
  assert.equal(config('orders').connection.startup_timeout, '0s');
  assert.deepEqual([config('orders').slot.name, config('pay-1').slot.name], ['dupwatch_orders', 'own']);
  assert.equal(config('pay-1').connection.dsn, DSN);
  const deployments = ['orders', 'pay-1'].map((name) => of('Deployment', name));
  assert.deepEqual(deployments.map(({ spec }) => spec.replicas), [1, 2]);
  assert.deepEqual(deployments.map(({ spec }) => spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.name), ['orders', 'dupwatch-database']);
  for (const [place, name] of ['orders', 'pay-1'].entries()) {
    const { labels } = deployments[place].spec.template.metadata;
    const other = deployments[1 - place].spec.template.metadata.labels;
    for (const selector of [deployments[place].spec.selector, of('Service', name).spec.selector]) {
      assert.ok(selects(selector, labels));
      assert.ok(!selects(selector, other), name);
    }
    assert.equal(deployments[place].spec.template.spec.volumes[0].configMap.name, `dupwatch-${name}`);
    assert.ok(notes.includes(`deployment/dupwatch-${name} -- dupwatch findings --open`), notes);
    for (const kind of ['PodMonitor', 'NetworkPolicy']) {
      const { selector, podSelector } = ofKind(objects, kind).spec;
      assert.ok(selects(selector ?? podSelector, labels), `${kind} ${name}`);
    }
  }
  assert.match(notes, /--slot dupwatch_orders\n.*--slot own/);
  assert.equal(objects.filter(({ kind }) => kind === 'PodDisruptionBudget').length, 1);
  assert.deepEqual(ofKind(objects, 'PodMonitor').spec.podMetricsEndpoints[0].relabelings, [{ sourceLabels: ['__meta_kubernetes_pod_label_app_kubernetes_io_component'], targetLabel: 'database' }]);
  assert.equal(objects.filter(({ kind }) => kind === 'Pod').length, 2, 'helm test asks for both');
  // What is empty or false in an entry replaces what is not.
  const bare = render(withDsn({ databases: [{ name: 'a', config: { slot: { create: false } }, database: { existingSecret: '' } }], config: { slot: { create: true } } })).objects;
  assert.equal(parse(ofKind(bare, 'ConfigMap').data['dupwatch.yaml']).slot.create, false);
  assert.equal(ofKind(bare, 'Deployment').spec.template.spec.containers[0].env, undefined);
  assert.throws(() => render(withDsn({ databases: [ORDERS, ORDERS] })), /databases: orders stands there twice/);
});

test('NOTES say who may reach it and what it reaches', () => {
  assert.match(render(withDsn()).notes, /networkPolicy\.enabled is false and httpAuth\.existingSecret empty: whoever reaches port 9788 reads the findings/);
  assert.doesNotMatch(render(VARIANTS.login).notes, /whoever reaches/);
  assert.match(render(VARIANTS.everything).notes, /networkPolicy\.metricsFrom alone may reach port 9999, and dupwatch and helm test\nreach name servers, port 6543 of networkPolicy\.database\.to and networkPolicy\.extraEgress \(1\) alone/);
  assert.match(render(VARIANTS.closed).notes, /nobody may reach port 9788/);
});

test('of several replicas none waits for another: readiness is life, no startup probe, a new one before an old one goes', () => {
  const { objects, notes } = render(VARIANTS.several);
  const { strategy, replicas, template: { spec } } = ofKind(objects, 'Deployment').spec;
  const [container] = spec.containers;
  assert.equal(replicas, 2);
  assert.deepEqual(strategy, { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } });
  assert.equal(container.readinessProbe.httpGet.path, '/healthz');
  assert.equal(container.startupProbe, undefined);
  assert.ok(spec.affinity.podAntiAffinity);
  assert.equal(ofKind(objects, 'PodDisruptionBudget').spec.maxUnavailable, 1);
  assert.doesNotMatch(notes, /WARNING/);
  assert.match(render(VARIANTS.open).notes, /WARNING: config\.findings\.table/);
  assert.equal(ofKind(render(withDsn()).objects, 'PodDisruptionBudget'), undefined);
});

test('a changed configuration makes new Pods, an unchanged one does not', () => {
  const checksum = (given) => ofKind(render(given).objects, 'Deployment').spec.template.metadata.annotations['checksum/config'];
  assert.equal(checksum(withDsn()), checksum(withDsn({ podMonitor: { enabled: true } })));
  assert.notEqual(checksum(withDsn()), checksum(withDsn({ config: { engine: 'v4' } })));
});

test('the metrics are closed when nobody may ask for them, and open when the policy is off', () => {
  const closed = ofKind(render(VARIANTS.closed).objects, 'NetworkPolicy').spec;
  assert.equal(closed.ingress, undefined);
  assert.deepEqual(closed.policyTypes, ['Ingress', 'Egress']);
  assert.equal(ofKind(render(VARIANTS.open).objects, 'NetworkPolicy'), undefined);
});

test('a login is asked for by dupwatch and given by Prometheus, from one Secret', () => {
  const { objects } = render(VARIANTS.login);
  const { basic_auth: auth } = parse(ofKind(objects, 'ConfigMap').data['dupwatch.yaml']).http;
  const { spec } = ofKind(objects, 'Deployment').spec.template;
  assert.equal(auth.user, '${DUPWATCH_HTTP_USER}');
  assert.deepEqual(spec.containers[0].env.find(({ name }) => name === 'DUPWATCH_HTTP_USER').valueFrom.secretKeyRef, { name: 'dupwatch-http', key: 'username' });
  const volume = spec.volumes.find(({ name }) => name === 'http-auth');
  const mount = spec.containers[0].volumeMounts.find(({ name }) => name === 'http-auth');
  assert.equal(auth.password_file, `${mount.mountPath}/${volume.secret.items[0].path}`);
  assert.deepEqual(ofKind(objects, 'PodMonitor').spec.podMetricsEndpoints[0].basicAuth, { username: { name: 'dupwatch-http', key: 'username' }, password: { name: 'dupwatch-http', key: 'password' } });
});

test('a mistake in the values is refused', () => {
  assert.throws(() => render({}), /config\.connection\.dsn is empty/);
  for (const given of [
    withDsn({ replica: 2 }), withDsn({ replicas: '2' }), withDsn({ replicas: 0 }), withDsn({ port: 80 }), withDsn({ image: { digest: 'sha256:1' } }),
    withDsn({ config: { http: { listen: ':1' } } }), withDsn({ config: { conection: {} } }), withDsn({ podMonitor: { interval: '15' } }),
    withDsn({ config: { slot: { nam: 'x' } } }), withDsn({ config: { index: { memory_max: ['1GiB'] } } }), withDsn({ config: { quarantine: 'remove' } }),
    withDsn({ databases: [{}] }), withDsn({ databases: [{ name: 'A' }] }), withDsn({ databases: [{ name: 'a', port: 1 }] }), withDsn({ databases: [{ name: 'a', config: { slot: { nam: 'x' } } }] }),
    withDsn({ networkPolicy: { metricsFrom: 'monitoring' } }), withDsn({ database: { secret: 'x' } }), withDsn({ image: { pullPolicy: 'Sometimes' } }),
  ]) assert.throws(() => render(given), /values don't meet the specifications of the schema/, JSON.stringify(given));
});

test('helm lint has nothing to say', () => {
  for (const [name, given] of Object.entries(VARIANTS)) {
    const said = output('helm', ['lint', '--strict', '--with-subcharts', folder, '--values', '-'], { input: JSON.stringify(given) });
    assert.deepEqual(said.split('\n').filter((line) => /^\[/.test(line)), [], name);
  }
  assert.notEqual(run('helm', ['lint', '--strict', folder, '--set', 'replicas=0']).status, 0);
});

test('the archive of helm package has what the chart has, and renders the same', (t) => {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-chart-'));
  t.after(() => fs.rmSync(made, { recursive: true }));
  output('helm', ['package', folder, '--destination', made]);
  const { version } = parse(read('Chart.yaml'));
  assert.deepEqual(fs.readdirSync(made), [`dupwatch-${version}.tgz`]);
  const archive = path.join(made, `dupwatch-${version}.tgz`);
  const list = spawnSync('tar', ['-tzf', archive], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean);
  const here = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .map((entry) => path.join('dupwatch', path.relative(folder, entry.parentPath ?? entry.path), entry.name));
  assert.deepEqual(list.sort(), here.sort());
  const rendered = (chart) => output('helm', ['template', 'dupwatch', chart, '--values', '-'], { input: JSON.stringify(VARIANTS.everything) });
  assert.equal(rendered(archive), rendered(folder));
});

test('an older Kubernetes than the chart is for is refused', () => {
  const on = (version) => run('helm', ['template', 'dupwatch', folder, '--kube-version', version, '--set', `config.connection.dsn=${DSN}`]);
  assert.match(on('1.24.0').stderr, /requires kubeVersion: >=1\.25/);
  for (const version of ['1.25.0', '1.31.0', '1.34.2-gke.100']) assert.equal(on(version).status, 0, version);
});

test('a template that breaks is refused, not half rendered', (t) => {
  const copy = fs.mkdtempSync('/tmp/dupwatch-chart-');
  t.after(() => fs.rmSync(copy, { recursive: true }));
  fs.cpSync(folder, copy, { recursive: true });
  const file = path.join(copy, 'templates/deployment.yaml');
  for (const [from, to] of [['nindent 8', 'nindent 3'], ['{{- end }}', ''], ['"dupwatch.meta"', '"dupwatch.metas"'], ['  replicas:', '  strategy: {}\n  replicas:']]) {
    const text = read('templates/deployment.yaml');
    assert.ok(text.includes(from));
    fs.writeFileSync(file, text.replace(from, to));
    let objects;
    try { ({ objects } = render(withDsn(), { chart: copy })); } catch { continue; }
    assert.notDeepEqual(faults(objects), [], `${from} -> ${to}`);
  }
});

const leaves = (object, at = []) => Object.entries(object).flatMap(([key, value]) => (value && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length && !['labels', 'resources', 'podSecurityContext', 'securityContext'].includes(key)
  ? leaves(value, [...at, key]) : [[...at, key].join('.')]));

test('values.yaml, its schema and the README name the same values', () => {
  const inSchema = (properties) => Object.fromEntries(Object.entries(properties).map(([key, { properties: below, additionalProperties }]) => [key, below && additionalProperties === false ? inSchema(below) : 1]));
  const { global, config, ...rest } = inSchema(schema.properties);
  const { config: ownConfig, ...own } = values;
  assert.deepEqual(leaves(rest).sort(), leaves(own).sort());
  assert.ok(global && ownConfig);
  const readme = read('README.md');
  for (const name of leaves(own)) assert.ok(readme.includes(`\`${name}\``), `README.md lacks ${name}`);
  for (const [, name] of readme.matchAll(/^\| `([\w.]+)` \|/gm)) assert.ok(leaves(values).includes(name) || name === 'config', `values.yaml lacks ${name}`);
  // The keys of config are those that the program reads.
  const [, table] = fs.readFileSync(path.join(root, 'daemon/config/keys.cpp'), 'utf8').split('kKeys = ');
  const known = [...table.matchAll(/\{"([a-z_.]+)"/g)].map(([, key]) => key);
  assert.ok(known.length > 90, `${known.length} keys`);
  const given = Object.entries(schema.properties.config.properties).flatMap(([key, { properties }]) => [key, ...Object.keys(properties ?? {}).map((below) => `${key}.${below}`)]);
  assert.deepEqual(given.sort(), [...new Set(known.filter((key) => key.split('.').length < 3))].sort());
  assert.ok(config);
});

test('chart, program and image have one version', () => {
  const chart = parse(read('Chart.yaml'));
  const [, version] = /project\(dupwatch VERSION ([\d.]+)/.exec(fs.readFileSync(path.join(root, 'CMakeLists.txt'), 'utf8'));
  assert.equal(chart.appVersion, version);
  assert.equal(chart.version, version);
  assert.equal(ofKind(render(withDsn()).objects, 'Deployment').spec.template.spec.containers[0].image, `registry.example/dupwatch:${version}`);
  assert.ok(DSN);
});
