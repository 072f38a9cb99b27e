import Ajv2020 from 'ajv/dist/2020';
import type { JsonValue } from './model';

const maxProblemCharacters = 1_000;

/** Formats are notes for the model here: whoever is called checks them itself. Nothing is fetched, and nothing is logged. 19.99 is a multiple of 0.01, whatever binary fractions say. */
const ajv = new Ajv2020({ strict: false, validateFormats: false, logger: false, addUsedSchema: false, multipleOfPrecision: 8 });

/**
 * Checks values against a JSON Schema (2020-12), which is compiled when the first value comes.
 * @returns what is wrong with a value, in words; undefined when nothing is.
 */
export function schemaCheck(schema: JsonValue): (value: JsonValue) => string | undefined {
  let validate: ReturnType<typeof compiled> | undefined;
  return (value) => {
    validate ??= compiled(schema);
    if (validate(value)) return undefined;
    return ajv.errorsText(validate.errors, { dataVar: '' }).slice(0, maxProblemCharacters);
  };
}

/** @returns why values cannot be checked against this schema, in words; undefined when they can. */
export function schemaProblem(schema: JsonValue): { readonly message: string; readonly cause: unknown } | undefined {
  try {
    compiled(schema);
    return undefined;
  } catch (cause) {
    return { message: cause instanceof Error ? cause.message : String(cause), cause };
  }
}

/** Who needs it keeps it: Ajv would keep every schema it has ever seen. */
function compiled(schema: JsonValue) {
  try {
    return ajv.compile(schema as object);
  } finally {
    ajv.removeSchema(schema as object);
  }
}
