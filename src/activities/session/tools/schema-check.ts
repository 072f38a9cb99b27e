import Ajv2020 from 'ajv/dist/2020';
import type { JsonValue } from '../../../contracts/model';

const maxProblemCharacters = 1_000;

/** Formats are notes for the model here: whoever is called checks them itself. Nothing is fetched, and nothing is logged. */
const ajv = new Ajv2020({ strict: false, validateFormats: false, logger: false, addUsedSchema: false });

/**
 * Checks values against a JSON Schema (2020-12), which is compiled when the first value comes.
 * @returns what is wrong with a value, in words; undefined when nothing is.
 */
export function schemaCheck(schema: JsonValue): (value: JsonValue) => string | undefined {
  let validate: ReturnType<typeof ajv.compile> | undefined;
  return (value) => {
    validate ??= ajv.compile(schema as object);
    if (validate(value)) return undefined;
    return ajv.errorsText(validate.errors, { dataVar: '' }).slice(0, maxProblemCharacters);
  };
}
