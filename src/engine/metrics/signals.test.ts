import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signalsOf } from './signals.ts'

test('every engine is understood, by the names of its version', async (t) => {
  const cases: readonly [string, string, object][] = [
    [
      'vLLM today, two ranks',
      'vllm:num_requests_running{engine="0",model_name="m"} 3.0\nvllm:num_requests_running{engine="1",model_name="m"} 4.0\nvllm:num_requests_waiting{engine="0",model_name="m"} 2.0\nvllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25\nvllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.75\n',
      { running: 7, waiting: 2, kvUse: 0.75 },
    ],
    [
      'vLLM while it had both names',
      'vllm:gpu_cache_usage_perc{model_name="m"} 0.5\nvllm:kv_cache_usage_perc{model_name="m"} 0.5\n',
      { kvUse: 0.5 },
    ],
    ['vLLM before', 'vllm:gpu_cache_usage_perc{model_name="m"} 0.4\n', { kvUse: 0.4 }],
    [
      'SGLang',
      'sglang:num_running_reqs 5\nsglang:num_queue_reqs 6\nsglang:token_usage 0.28\n',
      { running: 5, waiting: 6, kvUse: 0.28 },
    ],
    ['TGI', 'tgi_batch_current_size 8\ntgi_queue_size 1\n', { running: 8, waiting: 1 }],
    [
      'llama.cpp',
      'llamacpp:requests_processing 1\nllamacpp:requests_deferred 2\nllamacpp:kv_cache_usage_ratio 0.5\n',
      { running: 1, waiting: 2, kvUse: 0.5 },
    ],
    [
      'trtllm-serve',
      'trtllm_num_requests_running 3\ntrtllm_num_requests_waiting 4\ntrtllm_kv_cache_utilization 0.125\n',
      { running: 3, waiting: 4, kvUse: 0.125 },
    ],
    [
      'Triton with TensorRT-LLM',
      'nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="max",version="1"} 512\nnv_trt_llm_request_metrics{model="tensorrt_llm",request_type="waiting",version="1"} 3\nnv_trt_llm_request_metrics{model="tensorrt_llm",request_type="scheduled",version="1"} 8\nnv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",model="tensorrt_llm"} 0.0625\nnv_inference_pending_request_count{model="x"} 99\n',
      { running: 8, waiting: 3, kvUse: 0.0625 },
    ],
  ]
  for (const [name, page, signals] of cases) await t.test(name, () => assert.deepEqual(signalsOf(page, 'm'), signals))
})

test('of several models the one that is meant counts, and all where none is', () => {
  const page = 'vllm:num_requests_running{model_name="a"} 3\nvllm:num_requests_running{model_name="b"} 4\n'
  assert.deepEqual(
    ['a', 'b', 'c'].map((model) => signalsOf(page, model).running),
    [3, 4, 7],
  )
})

test('what engines write where they have nothing to say is not believed', () => {
  for (const value of ['-1', 'NaN', '+Inf', '1e12', ''])
    assert.deepEqual(signalsOf(`vllm:num_requests_running ${value}\n`, 'm'), {}, value)
  for (const value of ['-1', '1.5', '98'])
    assert.deepEqual(signalsOf(`vllm:kv_cache_usage_perc ${value}\n`, 'm'), {}, value)
  // The name of an older version may still say it.
  const both = 'vllm:kv_cache_usage_perc -1\nvllm:gpu_cache_usage_perc 0.5\n'
  assert.deepEqual(signalsOf(both, 'm'), { kvUse: 0.5 })
  assert.deepEqual(signalsOf('', 'm'), {})
})
