// What is wrong with a Kubernetes object, by the JSON schemas of Kubernetes and of the Prometheus operator (npm's kubernetes-models
// has them compiled by ajv), and by the types of the same package, which know what the schemas let pass: fields that do
// not exist.
import Ajv from 'ajv';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import yaml from 'js-yaml';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { ConfigMap, Pod, Secret, Service, ServiceAccount } from 'kubernetes-models/v1';
import { Deployment } from 'kubernetes-models/apps/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { PodMonitor, PrometheusRule, ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';

const here = fileURLToPath(new URL('.', import.meta.url));
export const root = fileURLToPath(new URL('../../', import.meta.url));
export const kubernetes = path.join(root, 'config/kubernetes');

const MODELS = Object.fromEntries([
  ['kubernetes-models/v1', [ConfigMap, Pod, Secret, Service, ServiceAccount]],
  ['kubernetes-models/apps/v1', [Deployment]],
  ['kubernetes-models/networking.k8s.io/v1', [NetworkPolicy]],
  ['kubernetes-models/policy/v1', [PodDisruptionBudget]],
  ['@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1', [PodMonitor, PrometheusRule, ServiceMonitor]],
].flatMap(([module, models]) => models.map((Model) => [Model.kind, { module, Model, apiVersion: Model.apiVersion }])));

// The operator of CloudNativePG has no schemas on npm.
const ownSchema = new Ajv({ allErrors: true }).compile(JSON.parse(fs.readFileSync(path.join(here, 'cloudnativepg.schema.json'), 'utf8')));
const isOwn = (object) => object?.apiVersion?.startsWith('postgresql.cnpg.io/');

function schemaErrors(object) {
  if (isOwn(object)) return ownSchema(object) ? [] : ownSchema.errors.map(({ instancePath, message }) => `${instancePath} ${message}`);
  const known = MODELS[object?.kind];
  if (known?.apiVersion !== object?.apiVersion) return [`no such object: ${object?.apiVersion} ${object?.kind}`];
  try {
    new known.Model(object).validate();
    return [];
  } catch (error) {
    return [error.message];
  }
}

/** For each object what TypeScript says against it as a literal of its type. */
function typeErrors(objects) {
  const options = { strict: true, noEmit: true, skipLibCheck: true, types: [], lib: ['lib.es2015.d.ts'], module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };
  const sources = new Map(objects.map((object, index) => {
    const type = `I${object.kind}`;
    return [path.join(here, `object_${index}.ts`), `import type { ${type} } from '${MODELS[object.kind].module}';\nexport const object: ${type} = ${JSON.stringify(object)};\n`];
  }));
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => sources.has(name) || fileExists(name);
  host.readFile = (name) => sources.get(name) ?? readFile(name);
  host.getSourceFile = (name, ...more) => (sources.has(name) ? ts.createSourceFile(name, sources.get(name), more[0]) : getSourceFile(name, ...more));
  const program = ts.createProgram([...sources.keys()], options, host);
  return [...sources.keys()].map((name) => program.getSemanticDiagnostics(program.getSourceFile(name))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')));
}

/** [{object, errors}] for each of `objects` that is not as it should be. */
export function faults(objects) {
  const found = objects.map(schemaErrors);
  const typed = objects.map((object, index) => ({ object, index })).filter(({ object, index }) => !found[index].length && !isOwn(object));
  typeErrors(typed.map(({ object }) => object)).forEach((errors, place) => found[typed[place].index].push(...errors));
  return objects.map((object, index) => ({ object: `${object?.kind} ${object?.metadata?.name}`, errors: found[index] })).filter(({ errors }) => errors.length);
}

/** The objects of a YAML file below config/kubernetes. */
export const objectsOf = (file) => yaml.loadAll(fs.readFileSync(path.join(kubernetes, file), 'utf8')).filter(Boolean);

export const parse = (text) => yaml.load(text);

/** The documents of a YAML text; a key that stands twice is refused. */
export const parseAll = (text) => yaml.loadAll(text).filter(Boolean);

/** Whether a selector, or that of a Service, which is its labels alone, fits. */
export function selects({ matchLabels, matchExpressions = [], ...rest }, labels = {}) {
  const wanted = Object.entries(matchLabels ?? rest);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value)
    && matchExpressions.every(({ key, operator, values }) => operator === 'In' && values.includes(labels[key]));
}

/** What a hardened container lacks, by the restricted Pod Security Standard and a read-only root on top. */
export function softSpots(spec, container) {
  const context = { ...spec.securityContext, ...container.securityContext };
  return Object.entries({
    runAsNonRoot: context.runAsNonRoot === true && context.runAsUser > 0,
    seccomp: context.seccompProfile?.type === 'RuntimeDefault',
    escalation: context.allowPrivilegeEscalation === false,
    capabilities: JSON.stringify(context.capabilities) === '{"drop":["ALL"]}',
    readOnly: context.readOnlyRootFilesystem === true,
    volumes: (spec.volumes ?? []).every((volume) => volume.configMap || volume.secret || volume.emptyDir || volume.persistentVolumeClaim),
    host: !spec.hostNetwork && !spec.hostPID && !spec.hostIPC,
    memory: Boolean(container.resources.limits.memory),
  }).filter(([, good]) => !good).map(([name]) => name);
}
