import type { ApiClient, ApiMethod } from '../base/api.ts'
import { Refusal } from '../base/errors.ts'
import type { Headers } from '../base/http.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { ExitCode } from './command.ts'
import type { CliContext } from './context.ts'
import { Declined, declinedBy, declinedWith, printJson, report } from './declined.ts'

/** How commands talk to the house. */

export async function openApi(context: CliContext): Promise<ApiClient | Declined> {
  const api = await context.connect()
  return api instanceof Refusal ? declinedBy(api) : api
}

/** One exchange with the house: its JSON object, or why not. */
export async function callApi(
  api: ApiClient,
  method: ApiMethod,
  path: string,
  body?: Json,
  headers?: Headers,
): Promise<JsonObject | Declined> {
  const answer = body === undefined ? await api.request(method, path) : await api.request(method, path, body, headers)
  const json = answer.json()
  if (answer.status < 400 && isObject(json)) return json
  return declinedWith(isObject(json) ? json['error'] : undefined, answer.status)
}

/** The one exchange that a command consists of: the answer, to be shown as text; or the exit code
 *  where nothing is left to show, because it was declined or was wanted as JSON. */
export async function answerFor(
  context: CliContext,
  json: boolean,
  method: ApiMethod,
  path: string,
  body?: Json,
): Promise<JsonObject | ExitCode> {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const answer = await callApi(api, method, path, body)
  if (answer instanceof Declined) return report(context, answer, json)
  if (!json) return answer
  printJson(context, answer)
  return 0
}
