import { DefaultFailureConverter, type Payload, type PayloadConverter, type ProtoFailure, type SerializationContext } from '@temporalio/common';
import { encode } from '@temporalio/common/lib/encoding';
import { failureTextField } from '../contracts/names';

/**
 * Puts a failure's message and stack trace into a payload, which is encrypted as all others are. What stays outside is the
 * failure's type (a code of contracts/errors.ts) and whether to try again: Temporal itself goes by them.
 */
class EncodingFailureConverter extends DefaultFailureConverter {
  /** The parent's writes into the failure that an error was made of: encoded a second time, it would have lost its words. */
  override errorToFailure(error: unknown, payloadConverter: PayloadConverter, context?: SerializationContext): ProtoFailure {
    const { message, stackTrace, ...failure } = this.errorToFailureInner(error, payloadConverter, context);
    const encodedAttributes = marked(payloadConverter.toPayload({ message: message ?? '', stack_trace: stackTrace ?? '' }, context));
    return { ...failure, message: 'Encoded failure', stackTrace: '', encodedAttributes };
  }
}

const marked = (payload: Payload): Payload => ({ ...payload, metadata: { ...payload.metadata, [failureTextField]: encode('1') } });

/** Found by this name: by workers inside the workflows' sandbox too, so it uses nothing of Node.js. */
export const failureConverter = new EncodingFailureConverter();
