/** The OpenAI client for Python, as it comes from PyPI. Runs where HEADWORKS_TEST_PYTHON names a
 *  Python that has it, or `python3` does. */
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { ADMIN_KEY, startHouse, type RunningHouse } from '../kit/house.ts'
import { DOCUMENTS, QUESTION } from './material.ts'

const python = process.env['HEADWORKS_TEST_PYTHON'] ?? 'python3'
const hasClient = spawnSync(python, ['-c', 'import openai']).status === 0
const skip = hasClient
  ? false
  : `${python} has no openai package: pip install -r tests/clients/requirements.txt, and set HEADWORKS_TEST_PYTHON`

/** One line of what the script told. */
interface Told {
  readonly check: string
  readonly [field: string]: unknown
}

suite('OpenAI for Python', { skip }, () => {
  let house: RunningHouse
  let told: readonly Told[]
  before(async () => {
    house = await startHouse({ documents: DOCUMENTS })
    const environment = { ...process.env, OPENAI_BASE_URL: `${house.url}/v1`, OPENAI_API_KEY: ADMIN_KEY }
    const { stdout } = await promisify(execFile)(python, [join(import.meta.dirname, 'ask.py'), QUESTION], {
      env: environment,
    })
    told = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Told)
  })
  after(() => house.stop())

  const tellingOf = (check: string): Told => {
    const found = told.find((one) => one.check === check)
    assert.ok(found, `the script told nothing of ${check}`)
    return found
  }

  test('lists the models', () => assert.ok((tellingOf('models')['ids'] as string[]).includes('docs')))

  test('gets an answer with citations', () => {
    const { text, finish, citations, completionTokens } = tellingOf('whole')
    assert.match(String(text), /Maren Holt.*\[1\]/s)
    assert.equal(finish, 'stop')
    assert.ok(Number(completionTokens) > 0)
    assert.match(String((citations as string[])[0]), /lighthouse/i)
  })

  test('gets the same answer streamed', () => {
    const { text, finish, answered, totalTokens } = tellingOf('streamed')
    assert.equal(text, tellingOf('whole')['text'])
    assert.equal(finish, 'stop')
    assert.equal(answered, true)
    assert.ok(Number(totalTokens) > 0)
  })

  test('uploads into a vector store and finds what it uploaded', () => {
    assert.deepEqual(tellingOf('files'), { check: 'files', status: 'completed', found: ['cranes.md'] })
  })

  test('runs a batch', () => {
    const { status, completed, text } = tellingOf('batch')
    assert.deepEqual([status, completed, text], ['completed', 1, tellingOf('whole')['text']])
  })

  test('raises its own error for a wrong key and an unknown model', () => {
    assert.deepEqual(tellingOf('wrong key'), {
      check: 'wrong key',
      error: 'AuthenticationError',
      code: 'invalid_api_key',
    })
    assert.deepEqual(tellingOf('unknown model'), {
      check: 'unknown model',
      error: 'NotFoundError',
      code: 'model_not_found',
    })
  })
})
