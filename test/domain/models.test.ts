import { foundationModelOf, modelOfAttempt } from '../../src/domain/models';

it('asks each model twice, in order, and begins again when none was left', () => {
  const agent = { modelId: 'a', fallbackModels: ['b', 'c'] };
  expect([1, 2, 3, 4, 5, 6, 7].map((attempt) => modelOfAttempt(agent, attempt))).toEqual(['a', 'a', 'b', 'b', 'c', 'c', 'a']);
  expect([1, 2, 3, 99].map((attempt) => modelOfAttempt({ modelId: 'a' }, attempt))).toEqual(['a', 'a', 'a', 'a']);
});

it.each([
  ['us.anthropic.claude-sonnet-4-20250514-v1:0', 'anthropic.claude-sonnet-4-20250514-v1:0'],
  ['arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0', 'amazon.nova-pro-v1:0'],
  ['arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-70b-instruct-v1:0', 'meta.llama3-70b-instruct-v1:0'],
  ['anthropic.claude-3-5-sonnet-20241022-v2:0', 'anthropic.claude-3-5-sonnet-20241022-v2:0'],
  ['arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3', 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3'],
])('knows the model behind %s', (id, model) => {
  expect(foundationModelOf(id)).toBe(model);
});
