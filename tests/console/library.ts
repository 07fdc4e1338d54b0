import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { NO_SCHEDULES } from '../kit/sources.ts'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock as clock } from '../../src/base/clock.ts'
import { Refusal } from '../../src/base/errors.ts'
import type { Handler } from '../../src/base/http.ts'
import { seededRandom } from '../../src/base/random.ts'
import { collectionRoutes } from '../../src/control/collections.ts'
import { deletionRoutes } from '../../src/control/deletions.ts'
import { documentRoutes } from '../../src/control/documents.ts'
import { generationRoutes } from '../../src/control/generations.ts'
import { ingestRoutes } from '../../src/control/ingests.ts'
import { keyRoutes } from '../../src/control/keys.ts'
import { alertRoutes } from '../../src/control/alerts.ts'
import { controlPlane } from '../../src/control/router.ts'
import { searchRoutes } from '../../src/control/search.ts'
import { segmentRoutes } from '../../src/control/segments.ts'
import { sessionRoutes } from '../../src/control/session.ts'
import { openAssets } from '../../src/drivers/http/assets.ts'
import { NodeHttpListener } from '../../src/drivers/http/server.ts'
import { MemoryEvents } from '../../src/drivers/memory/events.ts'
import { Audit } from '../../src/guard/audit.ts'
import { authenticate } from '../../src/guard/authenticate.ts'
import { Keyring } from '../../src/guard/keyring.ts'
import { Pepper, PEPPER_BYTES } from '../../src/guard/secret.ts'
import { Sessions } from '../../src/guard/sessions.ts'
import { Alerts } from '../../src/meter/alerts/alerts.ts'
import { Deletions } from '../../src/retrieval/deletion/receipts.ts'
import { collectionKey, COLLECTIONS } from '../../src/retrieval/document.ts'
import { searchLive } from '../../src/retrieval/generation/search.ts'
import { QualityBook } from '../../src/retrieval/recall/book.ts'
import { createSearch } from '../../src/retrieval/search.ts'
import { nothingDerived } from '../kit/erasing.ts'
import { CountingModel, openEmbedded } from '../kit/embedding.ts'

/** The real control plane of collections behind the console, over stores in memory: documents are
 *  really read, embedded and searched. */

const BODY_TIMEOUT_MS = 5_000
const POLL_MS = 2

/** Short, so that a house is there at once. */
const HANDBOOK: { readonly [name: string]: string } = {
  'keys.md':
    '# Keys\n\nA key lets a program in. Keys are made, rotated and revoked by administrators.\n\n## Rotation\n\nRotating a key gives it a new text; everything it is bound to stays. With a grace period the old text goes on for a while.\n',
  'budgets.md':
    '# Budgets\n\nA budget says how much may be spent. Each user has one, and each key may have its own.\n\n## When it is spent\n\nRequests are refused, answered by a smaller model, or let through with a warning.\n',
  'engines.md':
    '# Engines\n\nAn engine is where models run: a server with graphics cards, or a provider. Engines fail; the request then goes to the next.\n',
  'operations.md':
    '# Operations\n\nDraining takes no new work and finishes what runs. The doctor looks at engines, the disk and keys, and changes nothing.\n',
}

const DAY_MS = 86_400_000

export interface LibraryHouse {
  readonly url: string
  readonly admin: string
  readonly folder: string
  readonly book: QualityBook
  /** With the key of an administrator. */
  call(method: string, path: string, body?: object): Promise<{ readonly [name: string]: unknown }>
  /** Reads a folder into a collection, to its end. */
  read(collection: string, path?: string): Promise<void>
  /** What a new generation is embedded with. */
  choose(model: string): void
  generationsIdle(): Promise<void>
  close(): Promise<void>
}

/** With nothing in it. */
export async function serveLibrary(dist: string): Promise<LibraryHouse> {
  const random = seededRandom(11)
  const folder = await mkdtemp(join(tmpdir(), 'headworks-console-'))
  let choice = { model: 'lsa', passagePrefix: '', questionPrefix: '' }
  const held = openEmbedded(new CountingModel(), () => choice)
  const { rows, index, ingest, embeddings, analyzer } = held
  const { generations } = ingest
  if (generations === undefined) throw new Error('no generations')
  const keyring = await Keyring.open({ rows, clock, random, pepper: new Pepper(new Uint8Array(PEPPER_BYTES)) })
  const sessions = new Sessions(clock, random)
  const audit = new Audit({ events: new MemoryEvents(), clock, random })
  const alerts = new Alerts({ clock, random, rows })
  const book = new QualityBook({
    clock,
    rows,
    alerts,
    targetsOf: () => ({ recallAt10: 0.95, searchP95Ms: 50, freshnessMs: 2_000 }),
    onTrouble: console.error,
  })
  const search = searchLive(
    createSearch({
      index,
      rows,
      analyzer,
      questionVector: (...asked) => embeddings.question(...asked),
    }),
    rows,
  )
  const deletions = new Deletions({
    ...nothingDerived({ rows, index, analyzer, clock }),
    clock,
    random,
    rows,
    index,
    analyzer,
    removeDocument: (collection, document) => ingest.removeDocument(collection, document),
  })
  const shared = { clock, rows, audit, ownerOf: () => undefined }
  const quality = async (collection: string) => {
    const { documents = 0, chunks = 0 } = (await rows.get(COLLECTIONS, collectionKey(collection)))?.row ?? {}
    const searchable = (await index.statistics(collection, [])).chunks
    return {
      ...(await book.figures(collection)),
      completeness: { documents, chunks, searchableChunks: searchable },
    }
  }
  const handle: Handler = controlPlane({
    routes: [
      ...keyRoutes({ keyring, sessions, audit, nowMs: () => clock.wallMs() }),
      ...sessionRoutes({ keyring, sessions, consoleUrl: () => undefined }),
      ...alertRoutes(alerts, { status: async () => [] }),
      ...collectionRoutes({ ...shared, quality, schedules: NO_SCHEDULES }),
      ...segmentRoutes(shared),
      ...searchRoutes({ ...shared, search, rerank: async () => [], embedFor: () => new CountingModel().embedWith }),
      ...ingestRoutes({
        ...shared,
        ingest,
        schedules: {
          of: async (collection) => [
            { collection, source: folder, everyMs: DAY_MS, nextAtMs: clock.wallMs() + DAY_MS, failures: 2 },
          ],
        },
        again: async (collection) => {
          const run = await ingest.start(collection, folder)
          return run instanceof Refusal ? run : [run]
        },
        sourcesOf: (collection) =>
          collection === 'handbook'
            ? [
                { kind: 'folder', path: folder, trust: 'trusted' },
                { kind: 'sitemap', url: 'https://docs.example/sitemap.xml', pagesMax: 500 },
              ]
            : [],
      }),
      ...documentRoutes({ ...shared, ingest }),
      ...deletionRoutes({ ...shared, deletions }),
      ...generationRoutes({
        ...shared,
        generations,
        search,
        recentQuestions: () => ['How do I rotate a key?', 'budget spent'],
      }),
    ],
    authenticate: (asked) => authenticate(asked, keyring, sessions),
    newRequestId: () => 'req_1',
  })
  const assets = openAssets(dist)
  const server = await new NodeHttpListener(BODY_TIMEOUT_MS).listen('127.0.0.1:0', (request, reply) => {
    const asset = /^\/(api|v1)\//.test(request.target) ? undefined : assets(request.target, request.headers)
    if (asset === undefined) return handle(request, reply)
    reply.head(asset.status, asset.headers)
    reply.end(asset.bytes)
  })
  const url = `http://${server.address}`
  const admin = (await keyring.create('ops', 'admin')).text
  return {
    url,
    admin,
    folder,
    book,
    choose: (model) => void (choice = { ...choice, model }),
    generationsIdle: () => generations.idle(),
    async call(method, path, body) {
      const headers = { authorization: `Bearer ${admin}`, 'content-type': 'application/json' }
      const init = body === undefined ? {} : { body: JSON.stringify(body) }
      const response = await fetch(url + path, { method, headers, ...init })
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
      return (await response.json()) as { readonly [name: string]: unknown }
    },
    async read(collection, path = folder) {
      const run = await ingest.start(collection, path)
      if (run instanceof Refusal) throw new Error(JSON.stringify(run))
      while ((await ingest.status(run))?.['endedAt'] === null) await sleep(POLL_MS)
    },
    async close() {
      await server.drain(0)
      await ingest.stop()
      await book.save()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A handbook that was read, measured, changed and deleted from; one file of it cannot be read. */
export async function serveHandbook(dist: string): Promise<LibraryHouse> {
  const house = await serveLibrary(dist)
  for (const [name, text] of Object.entries(HANDBOOK)) await writeFile(join(house.folder, name), text)
  await writeFile(join(house.folder, 'report.pdf'), '%PDF-1.7 and then nothing of the kind')
  await house.read('handbook')
  const { documents } = (await house.call('GET', '/api/collections/handbook/documents')) as {
    documents: { id: string; uri: string }[]
  }
  const engines = documents.find(({ uri }) => uri.endsWith('engines.md'))
  await house.call('DELETE', `/api/collections/handbook/documents/${engines?.id}`)
  for (let query = 0; query < 212; query++) house.book.measured('handbook', '10..100', query % 60 === 0 ? 0.9 : 1)
  for (let query = 0; query < 80; query++) house.book.measured('handbook', '1..10', query % 3 === 0 ? 0.6 : 1)
  house.book.fresh('handbook', 850, 3)
  house.book.fresh('handbook', 2_400, 1)
  return house
}
