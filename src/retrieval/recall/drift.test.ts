import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { CountingModel, openEmbedded } from '../../../tests/kit/embedding.ts'
import { Refusal } from '../../base/errors.ts'
import { systemClock as clock } from '../../base/clock.ts'
import { seededRandom } from '../../base/random.ts'
import { Alerts } from '../../meter/alerts/alerts.ts'
import { COLLECTIONS, collectionKey } from '../document.ts'
import { LSA } from '../embedding/port.ts'
import { storageOf } from '../generation/row.ts'
import { DriftWatch, type Refit } from './drift.ts'

const SEA = 'harbour ship sail anchor tide wave gull captain rope mast deck cargo'.split(' ')
const COURT = 'judge statute verdict appeal clause plaintiff tort contract witness oath ruling damages'.split(' ')

let house: ReturnType<typeof openEmbedded>
let folder = ''
let refit: Refit = 'propose'
let watch: DriftWatch
let alerts: Alerts

describe('recall: drift', () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headworks-drift-'))
    refit = 'propose'
    await begin(LSA)
  })
  afterEach(async () => {
    await house.ingest.stop()
    await rm(folder, { recursive: true, force: true })
  })

  async function begin(model: string): Promise<void> {
    const choice = { model, passagePrefix: '', questionPrefix: '' }
    house = openEmbedded(new CountingModel(), () => choice)
    alerts = new Alerts({ clock, random: seededRandom(1), rows: house.rows })
    watch = new DriftWatch({
      rows: house.rows,
      embeddings: house.embeddings,
      alerts,
      refitOf: () => refit,
      replace: async (collection, because) => await house.ingest.generations?.replace(collection, because),
    })
    await send('sea', SEA, 240)
    // Directions are fitted at the end of a run.
    const run = await house.ingest.start('books', folder)
    if (run instanceof Refusal) assert.fail(run.code)
    while ((await house.ingest.status(run))?.['endedAt'] === null)
      await new Promise((resolve) => setTimeout(resolve, 2))
  }

  /** Documents of one passage that share words, as those about one thing do. */
  async function send(name: string, words: readonly string[], count: number): Promise<void> {
    const random = seededRandom(count)
    const pick = (): string => words[(random.bytes(1)[0] ?? 0) % words.length] ?? ''
    const documents = Array.from({ length: count }, (_, at) => ({
      id: `${name}-${at}`,
      uri: `${name}-${at}.txt`,
      bytes: Buffer.from(Array.from({ length: 40 }, pick).join(' ')),
      metadata: {},
    }))
    const kept = await house.ingest.push('books', documents)
    if (kept instanceof Refusal) assert.fail(kept.code)
  }

  const open = async (): Promise<string[]> =>
    (await alerts.list({ limit: 9, fits: ({ closed }) => closed === undefined })).alerts.map(({ kind }) => kind)

  test('more of the same is no drift', async () => {
    assert.equal(await watch.look('books'), undefined)
    assert.equal(watch.last('books'), undefined, 'nothing came since')
    await send('more', SEA, 60)
    await watch.look('books')
    const drift = watch.last('books') ?? assert.fail()
    assert.ok(!drift.drifted && drift.since > 0.9 * drift.before, JSON.stringify(drift))
    assert.deepEqual(await open(), [])
  })

  test('documents about something else are noticed, and an alert says so', async () => {
    await send('court', COURT, 100)
    await watch.look('books')
    const drift = watch.last('books') ?? assert.fail()
    assert.ok(drift.drifted && drift.since < 0.2 * drift.before, JSON.stringify(drift))
    assert.deepEqual(await open(), ['drift'])
    assert.equal(await storageOf(house.rows, 'books'), 'books', 'proposed, and not made')
  })

  test('where it is wanted new directions are fitted beside the old ones, and take their place', async () => {
    refit = 'auto'
    await send('court', COURT, 100)
    await watch.look('books')
    await house.ingest.generations?.idle()
    assert.equal(await storageOf(house.rows, 'books'), 'books/g2')
    const row = (await house.rows.get(COLLECTIONS, collectionKey('books/g2')))?.row ?? assert.fail()
    assert.equal(row.documents, 340)
    const [of = 0] = await house.embeddings.explained('books/g2', row.space ?? '', ['judge statute verdict oath'])
    assert.ok(of > 0.5, `${of}`)
    await watch.look('books')
    assert.deepEqual(await open(), [], 'there is no drift from the new ones')
  })

  test('nobody looks where nobody is to', async () => {
    refit = 'off'
    await send('court', COURT, 100)
    await watch.look('books')
    assert.equal(watch.last('books'), undefined)
  })

  test('a collection that a model embeds does not drift', async () => {
    await house.ingest.stop()
    await begin('e5')
    await send('court', COURT, 40)
    await watch.look('books')
    assert.equal(watch.last('books'), undefined)
  })
})
