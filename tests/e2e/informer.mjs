// An informer of @kubernetes/client-node on ConfigMaps with a label: prints one line for each thing it is told, until one is deleted.
import {createRequire} from 'node:module';
import {pathToFileURL} from 'node:url';

const found = createRequire(import.meta.url).resolve('@kubernetes/client-node');
const k8s = await import(pathToFileURL(found).href);
const config = new k8s.KubeConfig();
config.loadFromFile(process.env.KUBECONFIG);
const core = config.makeApiClient(k8s.CoreV1Api);
const query = {namespace: 'default', labelSelector: 'by=node'};
const informer = k8s.makeInformer(config, '/api/v1/namespaces/default/configmaps', () => core.listNamespacedConfigMap(query), query.labelSelector);
const told = (kind) => (object) => console.log(`${kind} ${object.metadata.name} ${object.data?.n}`);
for (const kind of ['add', 'update', 'delete']) informer.on(kind, told(kind));
informer.on('error', (error) => { console.log(`error ${error}`); process.exit(1); });
informer.on('delete', () => process.exit(0));
await core.createNamespacedConfigMap({namespace: 'default', body: {metadata: {name: 'first', labels: {by: 'node'}}, data: {n: '1'}}});
await informer.start();
const patch = k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch);
await core.createNamespacedConfigMap({namespace: 'default', body: {metadata: {name: 'second', labels: {by: 'node'}}, data: {n: '1'}}});
await core.patchNamespacedConfigMap({namespace: 'default', name: 'second', body: {data: {n: '2'}}}, patch);
await core.deleteNamespacedConfigMap({namespace: 'default', name: 'first'});
