import { type Sample, samplesOf } from './exposition.ts'

/** What engines say of themselves, whatever they call it. */

export interface Signals {
  /** Calls it works on. */
  readonly running?: number
  /** Calls that wait in its queue. */
  readonly waiting?: number
  /** Share of its cache of keys and values that is in use, 0 to 1. */
  readonly kvUse?: number
}

interface Alias {
  readonly engine: string
  readonly name: string
  /** Only samples with this label are meant. */
  readonly where?: readonly [label: string, value: string]
}

// A table: one line, one name. Of several of one engine the first that it has counts, so that what a
// version renamed is not counted twice.
// oxfmt-ignore
const ALIASES: { readonly [signal in keyof Signals]-?: readonly Alias[] } = {
  running: [
    { engine: 'vLLM', name: 'vllm:num_requests_running' },
    { engine: 'SGLang', name: 'sglang:num_running_reqs' },
    { engine: 'TGI', name: 'tgi_batch_current_size' },
    { engine: 'llama.cpp', name: 'llamacpp:requests_processing' },
    { engine: 'trtllm-serve', name: 'trtllm_num_requests_running' },
    { engine: 'Triton with TensorRT-LLM', name: 'nv_trt_llm_request_metrics', where: ['request_type', 'scheduled'] },
  ],
  waiting: [
    { engine: 'vLLM', name: 'vllm:num_requests_waiting' },
    { engine: 'SGLang', name: 'sglang:num_queue_reqs' },
    { engine: 'TGI', name: 'tgi_queue_size' },
    { engine: 'llama.cpp', name: 'llamacpp:requests_deferred' },
    { engine: 'trtllm-serve', name: 'trtllm_num_requests_waiting' },
    { engine: 'Triton with TensorRT-LLM, from 25.03', name: 'nv_trt_llm_request_metrics', where: ['request_type', 'waiting'] },
    { engine: 'Triton', name: 'nv_inference_pending_request_count' },
  ],
  kvUse: [
    { engine: 'vLLM, from 0.10', name: 'vllm:kv_cache_usage_perc' },
    { engine: 'vLLM, to 0.11', name: 'vllm:gpu_cache_usage_perc' },
    { engine: 'SGLang', name: 'sglang:token_usage' },
    { engine: 'llama.cpp, to b5500 or so', name: 'llamacpp:kv_cache_usage_ratio' },
    { engine: 'trtllm-serve', name: 'trtllm_kv_cache_utilization' },
    { engine: 'Triton with TensorRT-LLM', name: 'nv_trt_llm_kv_cache_block_metrics', where: ['kv_cache_block_type', 'fraction'] },
  ],
}

const NAMES: ReadonlySet<string> = new Set(Object.values(ALIASES).flatMap((aliases) => aliases.map(({ name }) => name)))

/** Beyond this it is no count of calls. */
const CALLS_MAX = 1_000_000

/** What the page says of a model; nothing of what it does not name. Where samples carry the names of
 *  models and one is this, the others are left out. Counts of several ranks are added up; of the shares
 *  the fullest counts. A negative count, and a share beyond 0 to 1, is what engines write where they have
 *  nothing to say. */
export function signalsOf(page: string, model: string): Signals {
  const samples = samplesOf(page, NAMES)
  const running = read(samples, ALIASES.running, model, isCount)
  const waiting = read(samples, ALIASES.waiting, model, isCount)
  const shares = read(samples, ALIASES.kvUse, model, isShare)
  return {
    ...(running === undefined ? {} : { running: sum(running) }),
    ...(waiting === undefined ? {} : { waiting: sum(waiting) }),
    ...(shares === undefined ? {} : { kvUse: Math.max(...shares) }),
  }
}

function read(
  samples: readonly Sample[],
  aliases: readonly Alias[],
  model: string,
  isSaid: (value: number) => boolean,
): number[] | undefined {
  for (const { name, where } of aliases) {
    const named = samples.filter(
      (one) => one.name === name && (where === undefined || one.labels[where[0]] === where[1]),
    )
    const own = named.filter(({ labels }) => (labels['model_name'] ?? labels['model']) === model)
    const values = (own.length > 0 ? own : named).map(({ value }) => value).filter(isSaid)
    if (values.length > 0) return values
  }
  return undefined
}

const isCount = (value: number): boolean => value >= 0 && value <= CALLS_MAX
const isShare = (value: number): boolean => value >= 0 && value <= 1
const sum = (values: readonly number[]): number =>
  Math.min(
    CALLS_MAX,
    values.reduce((all, one) => all + one, 0),
  )
