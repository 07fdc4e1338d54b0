import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { systemClock as clock } from '../../base/clock.ts'
import { loadZvec, type Zvec } from './binding.ts'
import { openZvecVectors } from './vectors.ts'

const zvec = loadZvec(1)
const skip = typeof zvec === 'string' ? `zvec: ${zvec}` : false
const DIMENSION = 24

/** Builds the segments `a` and `b`, and says how far it is. */
const BUILDER = `
import { systemClock as clock } from '${new URL('../../base/clock.ts', import.meta.url).href}'
import { seededRandom, uniform } from '${new URL('../../base/random.ts', import.meta.url).href}'
import { loadZvec } from '${new URL('./binding.ts', import.meta.url).href}'
import { openZvecVectors } from '${new URL('./vectors.ts', import.meta.url).href}'
const random = seededRandom(3)
const vectors = openZvecVectors({ clock, folder: process.argv[1], zvec: loadZvec(1), threads: 1, graphVectorsMin: 500 })
for (const segment of ['a', 'b']) {
  const writer = await vectors.write(segment, ${DIMENSION})
  for (let part = 0; part < 10; part++) {
    const rows = Float32Array.from({ length: 1000 * ${DIMENSION} }, () => uniform(random) - 0.5)
    await writer.add(rows, Array.from({ length: 1000 }, () => ({})))
    console.log(segment, part)
  }
  console.log(segment, 'all added')
  await writer.finish()
  console.log(segment, 'finished')
}`

/** Resolves to whether it ended by being killed at this line rather than before. */
async function buildAndKill(folder: string, line: string): Promise<boolean> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', BUILDER, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.on('exit', (_, signal) => resolve(signal)))
  for await (const said of createInterface(child.stdout)) if (said === line) child.kill('SIGKILL')
  return (await ended) === 'SIGKILL'
}

for (const line of ['b 3', 'b all added'])
  test(`a build that is killed at "${line}" leaves what was built, and is begun anew`, { skip }, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'headworks-kill-'))
    t.after(() => rm(folder, { recursive: true }))
    assert.ok(await buildAndKill(folder, line))
    const vectors = openZvecVectors({ clock, folder, zvec: zvec as Zvec, threads: 1, graphVectorsMin: 500 })
    const finds = async (segment: string): Promise<void> => {
      const reader = await vectors.open(segment, { recallAt10: 0.9 })
      assert.equal((await reader.search(new Float32Array(DIMENSION).fill(0.2), { k: 7 })).length, 7)
      reader.close()
    }
    await finds('a')
    assert.deepEqual(await vectors.segments(), ['a', 'b'])
    await assert.rejects(vectors.open('b', { recallAt10: 0.9 }), { code: 'index_unavailable', message: /missing/ })
    // What lies there from the former attempt is not built upon.
    const writer = await vectors.write('b', DIMENSION)
    await writer.add(
      Float32Array.from({ length: 600 * DIMENSION }, (_, at) => Math.sin(at * at)),
      Array.from({ length: 600 }, () => ({})),
    )
    assert.equal((await writer.finish()).vectors, 600)
    await finds('b')
  })
