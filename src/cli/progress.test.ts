import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../tests/kit/clock.ts'
import { Screen } from '../../tests/kit/terminal.ts'
import { openProgress } from './progress.ts'
import { styleFor } from './style.ts'

test('on a terminal one line is redrawn, not too often, never wider than the terminal, and taken away', () => {
  const screen = new Screen(true, 50)
  const clock = new ManualClock()
  const progress = openProgress(screen, clock, 'Reading')
  for (let i = 0; i <= 100; i++) {
    progress.update(i, 100, `${i} of 100 files, and some more that is too long`)
    clock.advance(10)
  }
  progress.end()
  const drawings = screen.text.split('\r\x1b[K').filter((line) => line !== '')
  assert(drawings.length > 5 && drawings.length < 20, String(drawings.length))
  for (const line of drawings) assert(line.length <= 49 && !line.includes('\n'))
  assert.match(drawings.at(-1) ?? '', /^Reading █+░* {2}9\d% /)
  assert(screen.text.endsWith('\r\x1b[K'))
})

test('elsewhere there are plain lines, every two seconds', () => {
  const screen = new Screen(false)
  const clock = new ManualClock()
  const progress = openProgress(screen, clock, 'Reading')
  for (let i = 0; i < 50; i++) {
    progress.update(i, undefined, `${i} files`)
    clock.advance(100)
  }
  progress.end()
  assert.equal(screen.text, 'Reading 20 files\nReading 40 files\n')
})

test('what is over at once leaves no trace', () => {
  const screen = new Screen(false)
  const progress = openProgress(screen, new ManualClock(), 'Reading')
  progress.update(1, 1, 'x')
  progress.end()
  assert.equal(screen.text, '')
})

test('colour needs a terminal that wants it', () => {
  const coloured = (screen: Screen, env = {}): boolean => styleFor(screen, env).bad('x') !== 'x'
  assert.equal(coloured(new Screen(true)), true)
  assert.equal(coloured(new Screen(true), { NO_COLOR: '1' }), false)
  assert.equal(coloured(new Screen(true), { NO_COLOR: '' }), true)
  assert.equal(coloured(new Screen(true), { TERM: 'dumb' }), false)
  assert.equal(coloured(new Screen(false)), false)
})
