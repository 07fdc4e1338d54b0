import { fault } from '../../base/errors.ts'
import type { Json } from '../../base/json.ts'
import type { Attempt, ChatCall, ChatSink, Engine, Operation } from '../../engine/port.ts'
import type { WorkflowDependencies } from './dependencies.ts'
import { Run } from './run.ts'
import { versionOf, type WorkflowSpec } from './spec.ts'

/** Search, rerank, assemble, generate: declared in the configuration, called as a model. */

export class WorkflowEngine implements Engine {
  readonly name: string
  /** Changes with everything that shapes its answers. */
  readonly version: string
  readonly operations: ReadonlySet<Operation> = new Set(['chat'])
  readonly #spec: WorkflowSpec
  readonly #dependencies: WorkflowDependencies

  /** `models`: what stands behind the names of models, for the version. */
  constructor(spec: WorkflowSpec, dependencies: WorkflowDependencies, models: Json = null) {
    this.name = spec.name
    this.version = versionOf(spec, models)
    this.#spec = spec
    this.#dependencies = dependencies
  }

  chat(call: ChatCall, sink: ChatSink): Attempt {
    const run = new Run(this.#spec, this.version, this.#dependencies, call, sink)
    run.start().catch((thrown: unknown) => run.fail(thrown))
    return run
  }

  rerank(): Promise<never> {
    return Promise.reject(fault('operation_unsupported', { model: this.name, operation: 'rerank' }))
  }

  embed(): Promise<never> {
    return Promise.reject(fault('operation_unsupported', { model: this.name, operation: 'embed' }))
  }

  async models(): Promise<string[]> {
    return [this.name]
  }
}
