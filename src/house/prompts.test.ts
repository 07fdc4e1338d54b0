import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../tests/kit/clock.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import { Prompts } from '../prompt/prompts.ts'
import { instructionsOf, readPromptFolder } from './prompts.ts'

function open() {
  const clock = new ManualClock()
  const prompts = new Prompts({ rows: new MemoryRows(), clock })
  const warned: string[] = []
  const log = {
    write: (_: string, message: string, facts: object = {}) => void warned.push(`${message}: ${JSON.stringify(facts)}`),
  }
  const read = (files: { [name: string]: string }) =>
    readPromptFolder('/prompts', {
      prompts,
      log,
      files: {
        list: async () => Object.keys(files),
        read: async (path) => Buffer.from(files[path.replace('/prompts/', '')] ?? ''),
      },
    })
  return { prompts, warned, read, clock }
}

test('files become versions once, and the labels they list are turned', async () => {
  const { prompts, read, warned, clock } = open()
  const files = {
    'answer.md': 'Answer from the sources.\n',
    'support.yaml':
      'messages: [{ role: system, content: "For {{who}}." }]\nvariables: { who: { default: Ann } }\nlabels: [production]\n',
    'README.txt': 'not a prompt',
  }
  await read(files)
  await read(files)
  assert.deepEqual(await prompts.list(), [
    { name: 'answer', versions: 1, labels: {} },
    { name: 'support', versions: 1, labels: { production: 1 } },
  ])
  assert.deepEqual(await instructionsOf(prompts, 'support'), { instructions: 'For Ann.', prompt: 'support@1' })
  clock.advance(1_000)
  await read({ 'support.yaml': files['support.yaml'].replace('For', 'Only for') })
  clock.advance(1_000)
  assert.equal((await instructionsOf(prompts, 'support@production')).prompt, 'support@2')
  assert.equal((await prompts.history('support', 'production')).length, 2)
  assert.deepEqual(warned, [])
})

test('a file that cannot be taken is told of and does not hold up the others', async () => {
  const { prompts, read, warned } = open()
  await read({
    'Bad name.yaml': 'x: 1',
    'yaml.yaml': 'a: [',
    'list.yaml': '- 1',
    'empty.md': '',
    'label.yaml': 'messages: [{ role: system, content: x }]\nlabels: [latest]',
    'good.md': 'Good.',
  })
  assert.equal(warned.length, 5)
  assert.deepEqual(
    (await prompts.list()).map(({ name }) => name),
    ['good', 'label'],
  )
  await assert.rejects(instructionsOf(prompts, 'nobody'), { code: 'not_found' })
  await assert.rejects(instructionsOf(prompts, 'No name'), { code: 'not_found' })
})
