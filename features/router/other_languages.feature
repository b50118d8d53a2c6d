Feature: A provider may be a program in any language
  A provider that is named as "process:" and a command is a program of its own, which speaks JSON lines with the router. It keeps its state, and is held to the
  same rules, as one in Python: what it took in stays taken in over a restart, and when its program is away the others go on.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"
    And another routed user "Ben" with the address "ben@alder.test"
    And the folder "letters" holds the mail "one" to "ada@alder.test"

  Scenario: A shell script takes in the mail of a folder
    Given the file has the shell script of the samples for "Ada" and the folder "letters"
    When the router runs
    Then the organization has the emails "one"
    And the instance "letters" is waiting

  Scenario: What it remembers outlives it
    Given the file has the shell script of the samples for "Ada" and the folder "letters"
    And the router ran
    And the folder "letters" holds the mail "two" to "ada@alder.test"
    When the router is stopped and started again
    Then the organization has the emails "one, two"

  Scenario: A program that is not there breaks its entry alone
    Given the file has the provider "process:/no/such/program" for "Ada" and the folder "letters"
    And the file has a feed "sound" for "Ben"
    And the feed "sound" holds the mail "Hello" to "ben@alder.test"
    When the router runs
    Then the organization has the emails "Hello"
    And the instance "process:/no/such/program" is broken
