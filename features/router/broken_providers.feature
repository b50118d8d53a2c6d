Feature: A provider's mistakes stay its own
  Whatever a provider does, the service and its other instances go on. What it raised is kept with its trace, its secrets are shown nowhere. A provider
  that nobody trusts may run in a process of its own (Isolation), which is ended when it does not end by itself.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"
    And another routed user "Ben" with the address "ben@alder.test"
    And the file has a feed "strange" for "Ada" with EmailPassword=Xyzzy-Plugh-42
    And the file has a feed "sound" for "Ben"
    And the feed "sound" holds the mail "Hello" to "ben@alder.test"

  Scenario Outline: It backs off, and the others go on
    Given the feed "strange" <does>
    When the router runs
    Then the instance "strange" was last told "<told>"
    And the instance "strange" is waiting
    And the router told "provider.bug" of "strange"
    And the organization has the emails "Hello"

    Examples:
      | does                     | told                               |
      | makes a mistake          | the provider raised ValueError     |
      | calls sys.exit           | the provider raised SystemExit     |
      | raises KeyboardInterrupt | the provider raised KeyboardInterrupt |
      | gives back no outcome    | gave back int instead of a RunOutcome |

  Scenario Outline: What belongs to the process is put back, and told
    Given the feed "strange" <does>
    When the router runs
    Then the router told "provider.left_behind" of "strange"
    And the process is as it was
    And the organization has the emails "Hello"

    Examples:
      | does                                |
      | leaves a thread behind              |
      | changes what belongs to the process |

  Scenario: A thread of its own that raises concerns nobody
    Given the feed "strange" raises in a thread of its own
    When the router runs
    Then the instance "strange" is waiting
    And the organization has the emails "Hello"

  Scenario Outline: In a process of its own it may do what it likes
    Given the file has a provider in a process of its own for "Ada" that <does>
    And the entry "strange" is not in the file
    And the file's "MaxThreadExecution" is "1000"
    When the router runs
    Then the instance "stranger" is waiting
    And the process is as it was
    And its password is shown nowhere
    And the organization has the emails "Hello"

    Examples:
      | does                  |
      | blocks for ever       |
      | never stops computing |
      | ends its process      |
      | prints its password   |
      | changes its process   |

  Scenario: Its secrets are shown nowhere
    Given the feed "strange" tells its password
    And the file's "LogLevel" is "3"
    And the file's "LogFile" is "trace.log"
    When the router runs
    Then its password is shown nowhere
    And the trace file "trace.log" holds "provider.event"
    And the instance "strange" is stopped because "refused: ***"
