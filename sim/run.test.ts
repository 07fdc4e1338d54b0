import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

const run = (...options: string[]): { code: number | null; out: string; err: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'run.ts'), ...options], {
    encoding: 'utf8',
  })
  return { code: status, out: stdout, err: stderr }
}

test('a clean run says how much it saw and ends with 0', () => {
  const { code, out } = run('--seeds', '5', '--seed', '11')
  assert.equal(code, 0, out)
  assert.match(out, /^5 seeds from 11, [\d,]+ steps in .*: all \d+ invariants held\n$/)
})

test('a fault ends with 1, its seed, the least scenario, the trace and the way to see it again', () => {
  const { code, out } = run('--seeds', '50', '--plant', 'silent truncation')
  assert.equal(code, 1)
  assert.match(out, /^seed \d+ breaks "no stream is silently truncated"/)
  assert.match(out, /"requests": \[/)
  assert.match(out, /BROKEN no stream is silently truncated/)
  assert.match(out, /npm run sim -- --seeds 1 --seed \d+ --plant "silent truncation" --verbose\n$/)
})

test('wrong use ends with 2 and the help', () => {
  for (const options of [['--seeds', 'many'], ['--seed', '-1'], ['--plant', 'roses'], ['--colour']]) {
    const { code, err } = run(...options)
    assert.equal(code, 2)
    assert.match(err, /npm run sim -- \[options\]/)
  }
})
