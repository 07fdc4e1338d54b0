import { isObject, type Json, type JsonObject } from '../base/json.ts'

/** Fields of an answer from a house that may be of another version: what is not there, or is of
 *  another kind, reads as nothing. */

export const listOf = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter(isObject) : []
export const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
export const numberOf = (value: Json | undefined): number => (typeof value === 'number' ? value : 0)
