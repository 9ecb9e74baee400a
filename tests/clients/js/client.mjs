// Run by `test_engines.py` with the Node of `.venv/clients`: what iceberg-js does with a catalog, told as JSON.
import { IcebergError, IcebergRestCatalog } from 'iceberg-js'

const [baseUrl] = process.argv.slice(2)
const catalog = new IcebergRestCatalog({ baseUrl, warehouse: 'main', auth: { type: 'none' } })
const id = { namespace: ['js'], name: 'events' }
const schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', type: 'long', required: true },
    { id: 2, name: 'at', type: 'timestamp', required: false },
  ],
}

await catalog.createNamespace({ namespace: ['js'] }, { properties: { owner: 'data' } })
await catalog.updateNamespaceProperties({ namespace: ['js'] }, { updates: { stage: 'test' }, removals: ['owner'] })
const { properties } = await catalog.loadNamespaceMetadata({ namespace: ['js'] })
const created = await catalog.createTable({ namespace: ['js'] }, { name: 'events', schema })
const first = await catalog.loadTableResult(id)
const unchanged = await catalog.loadTable(id, { ifNoneMatch: first.etag })
const evolved = { ...schema, 'schema-id': 1, fields: [...schema.fields, { id: 3, name: 'tag', type: 'string', required: false }] }
const committed = await catalog.updateTable(id, {
  requirements: [{ type: 'assert-current-schema-id', 'current-schema-id': 0 }],
  updates: [
    { action: 'add-schema', schema: evolved },
    { action: 'set-current-schema', 'schema-id': -1 },
    { action: 'set-properties', updates: { note: 'kept' } },
  ],
})
let conflict = null
try {
  await catalog.updateTable(id, {
    requirements: [{ type: 'assert-current-schema-id', 'current-schema-id': 0 }],
    updates: [{ action: 'set-properties', updates: { note: 'lost' } }],
  })
} catch (error) {
  if (!(error instanceof IcebergError)) throw error
  conflict = { status: error.status, type: error.icebergType }
}
await catalog.renameTable({ source: id, destination: { namespace: ['js'], name: 'renamed' } })
const { identifiers } = await catalog.listTables({ namespace: ['js'] })
const last = await catalog.loadTable({ namespace: ['js'], name: 'renamed' })
await catalog.dropTable({ namespace: ['js'], name: 'renamed' })
await catalog.dropNamespace({ namespace: ['js'] })
const { namespaces } = await catalog.listNamespaces()

console.log(
  JSON.stringify({
    properties,
    uuid_kept: created['table-uuid'] === last['table-uuid'],
    unchanged,
    schemas: committed.metadata.schemas.length,
    note: last.properties.note,
    conflict,
    tables: identifiers.map((one) => one.name),
    namespaces: namespaces.map((one) => one.namespace.join('.')),
  }),
)
