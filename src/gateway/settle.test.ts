import assert from 'node:assert/strict'
import { validateHeaderValue } from 'node:http'
import { test } from 'node:test'
import { HandEngine } from '../../tests/kit/engine.ts'
import { someSpending } from '../../tests/kit/spending.ts'
import { answerHeaders } from './settle.ts'

test('a model whose name no header can hold is named in percent-encoding', () => {
  const named = (model: string): string =>
    answerHeaders({ engine: new HandEngine('local'), model, weight: 1 }, someSpending())['x-headworks-model'] ?? ''
  assert.equal(named('qwen3:8b'), 'local/qwen3:8b')
  assert.equal(named('模型'), 'local/%E6%A8%A1%E5%9E%8B')
  for (const model of ['a b', 'a\r\nb: c', '\0', '\ud800', '模型 é']) validateHeaderValue('x', named(model))
})
